# SPDX-License-Identifier: GPL-3.0-or-later
"""Is found over QIDO-RS (PS3.18 §10.6) what a radiologist looks for: by name, patient ID, date and modality.

Each search comes from what the files say, and has a counterpart that must not find them: a server that ignores a
criterion passes the one and not the other. Values are encoded as browsers and DICOMweb clients do it (RFC 3986), all
but letters, digits and ``-._~``. The patient ID stands in each search: an archive with more patients of that name than
it gives answers finds this one all the same.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

with contextlib.suppress(ImportError):  # the module says what is missing
    import requests
    from pydicom import dcmread
    from pydicom.dataset import Dataset

from ..store.files import Instance
from ..words import first_few
from .archive import Archive, StepError, WebFailure, asking, session_with

if TYPE_CHECKING:
    from pydicom.valuerep import PersonName

Level = Literal["study", "series", "instance"]

_UID_OF: dict[Level, str] = {
    "study": "StudyInstanceUID",
    "series": "SeriesInstanceUID",
    "instance": "SOPInstanceUID",
}
_READ = [
    *_UID_OF.values(),
    "SpecificCharacterSet",
    "PatientName",
    "PatientID",
    "StudyDate",
    "Modality",
    "Rows",
    "Columns",
]
# What the answer must say as the file does (PS3.18 §10.6.3.3). A viewer draws nothing without Rows and Columns.
_ANSWERED: dict[Level, tuple[str, ...]] = {
    "study": ("PatientName", "PatientID", "StudyDate"),
    "series": ("Modality",),
    "instance": ("Rows", "Columns"),
}
# How OHIF's study list asks.
_AS_OHIF = (("limit", "101"), ("offset", "0"), ("fuzzymatching", "false"), ("includefield", "00081030,00080060"))
_OF_NONE = ("CT", "MR", "US", "XA", "NM", "PT")


@dataclass(frozen=True)
class Search:
    """One question. ``found`` must be among the answers, ``absent`` must not, both by the UIDs of the level."""

    about: str
    level: Level
    resource: str
    criteria: tuple[tuple[str, str], ...]
    found: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()

    @property
    def query(self) -> str:
        """Return resource and query, encoded (RFC 3986 §2.1)."""
        pairs = (f"{keyword}={quote(value, safe='')}" for keyword, value in self.criteria)
        return f"{self.resource}?{'&'.join(pairs)}" if self.criteria else self.resource


@dataclass(frozen=True)
class Outcome:
    """How one search came out."""

    search: Search
    failure: WebFailure | None = None
    problem: str | None = None

    def to_result(self) -> dict[str, Any]:
        """Return it as a module's result."""
        return {
            "about": self.search.about,
            "level": self.search.level,
            "query": self.search.query,
            "failure": self.failure,
            "message": self.problem,
        }


def search(archive: Archive, instances: Iterable[Instance]) -> list[Outcome]:
    """Look for the instances in all ways. Raises ``DicomWebError`` as soon as the archive itself is what fails."""
    images = [dcmread(each.path, stop_before_pixels=True, specific_tags=_READ) for each in instances]
    with session_with(archive) as session:
        return [_outcome(archive, session, each, images) for each in searches(images)]


def sentence(archive: Archive, outcomes: list[Outcome]) -> str:
    """Tell a person what came out."""
    failed = [outcome for outcome in outcomes if outcome.failure]
    if not failed:
        return f"{archive.url} answers all {len(outcomes)} searches as it should."
    named = first_few(failed, lambda each: f"{each.search.about} ({each.search.query}): {each.problem}")
    return f"{archive.url} does not answer {len(failed)} of {len(outcomes)} searches as it should. {named}"


def searches(images: Iterable[Dataset]) -> Iterator[Search]:
    """Yield what is asked for these images, study by study."""
    by_study: defaultdict[str, list[Dataset]] = defaultdict(list)
    for image in images:
        by_study[str(image.StudyInstanceUID)].append(image)
    for uid, study in by_study.items():
        yield from _for_study(uid, study)
        yield from _for_series(uid, study)
        yield from _for_instances(uid, study)


def _for_study(uid: str, study: list[Dataset]) -> Iterator[Search]:
    image, this = study[0], frozenset({uid})
    patient = ("PatientID", str(image.PatientID))

    def finds(about: str, *criteria: tuple[str, str]) -> Search:
        return Search(about, "study", "studies", (*criteria, patient), found=this)

    def leaves_out(about: str, *criteria: tuple[str, str]) -> Search:
        return Search(about, "study", "studies", (*criteria, patient), absent=this)

    yield finds("patient ID")
    yield Search("another patient ID", "study", "studies", (("PatientID", f"{image.PatientID}-"),), absent=this)

    for about, value in _names(image.PatientName):
        extra = _AS_OHIF if value.startswith("*") else ()
        yield finds(f"patient's name, {about}", ("PatientName", value), *extra)
    if image.PatientName:
        yield leaves_out("another patient's name", ("PatientName", f"{image.PatientName.family_name}-*"))

    date = str(image.get("StudyDate") or "")
    year = date[:4] or "2000"
    if date:
        yield finds("study date", ("StudyDate", date))
        yield finds("study date within the year", ("StudyDate", f"{year}0101-{year}1231"))
    yield leaves_out("study date within another year", ("StudyDate", f"{int(year) - 1}0101-{int(year) - 1}1231"))

    modalities = _modalities(study)
    for modality in modalities:
        yield finds(f"modality {modality}", ("ModalitiesInStudy", modality))
    other = _other_than(modalities)
    if modalities:
        yield finds("one of two modalities", ("ModalitiesInStudy", f"{other},{modalities[0]}"))
    yield leaves_out(f"modality {other}, which is not in it", ("ModalitiesInStudy", other))


def _for_series(uid: str, study: list[Dataset]) -> Iterator[Search]:
    every = frozenset(str(image.SeriesInstanceUID) for image in study)
    yield Search("series of the study", "series", f"studies/{uid}/series", (), found=every)
    modalities = _modalities(study)
    for modality in [*modalities, _other_than(modalities)]:
        those = frozenset(str(image.SeriesInstanceUID) for image in study if image.get("Modality") == modality)
        criteria = (("Modality", modality),)
        yield Search(
            f"series of modality {modality}", "series", f"studies/{uid}/series", criteria, those, every - those
        )


def _for_instances(uid: str, study: list[Dataset]) -> Iterator[Search]:
    by_series: defaultdict[str, set[str]] = defaultdict(set)
    for image in study:
        by_series[str(image.SeriesInstanceUID)].add(str(image.SOPInstanceUID))
    every = frozenset[str]().union(*by_series.values())
    for series, those in by_series.items():
        resource = f"studies/{uid}/series/{series}/instances"
        yield Search("instances of a series", "instance", resource, (), frozenset(those), every - those)
    patient = ("PatientID", str(study[0].PatientID))
    yield Search("instances of the patient", "instance", "instances", (patient,), found=every)


def _names(name: PersonName) -> Iterator[tuple[str, str]]:
    """Yield how a person is searched for, and the value of each (PS3.4 §C.2.2.2.4, PS3.5 §6.2)."""
    if not name:
        return
    family, given = name.family_name, name.given_name
    # An archive may match the groups one by one, or all of them as one value (PS3.4 §C.2.2.2.1).
    rest = "*" if name.ideographic or name.phonetic else ""
    yield "whole", f"{name.alphabetic}{rest}"
    yield "family name and *", f"{family}*"
    yield "family name within * in lower case", f"*{family.lower()}*"
    # Not ß: in upper case it would be two letters.
    upper = "".join(letter.upper() if len(letter.upper()) == 1 else letter for letter in family)
    yield "family name within * in upper case", f"*{upper}*"
    if given:
        yield "* and given name", f"*^{given}{rest}"
    for about, group in (("ideographic", name.ideographic), ("phonetic", name.phonetic)):
        if group:
            yield f"{about} family name within *", f"*{group.partition('^')[0]}*"


def _modalities(study: list[Dataset]) -> list[str]:
    return sorted({str(image.Modality) for image in study if image.get("Modality")})


def _other_than(modalities: list[str]) -> str:
    return next(modality for modality in _OF_NONE if modality not in modalities)


def _outcome(archive: Archive, session: requests.Session, asked: Search, images: Sequence[Dataset]) -> Outcome:
    try:
        answers = _ask(archive, session, asked)
    except StepError as error:
        return Outcome(asked, error.failure, str(error))
    missing, unwanted = asked.found - answers.keys(), asked.absent & answers.keys()
    if missing:
        problem = f"{len(missing)} of {len(asked.found)} {_UID_OF[asked.level]} not found among {len(answers)}"
        return Outcome(asked, "not_found", problem)
    if unwanted:
        return Outcome(asked, "not_asked_for", f"{len(unwanted)} {_UID_OF[asked.level]} found that do not match")
    differences = _differences(asked, answers, images)
    return Outcome(asked, "different", differences[0]) if differences else Outcome(asked)


def _ask(archive: Archive, session: requests.Session, asked: Search) -> dict[str, Dataset]:
    """Return the answers by their UIDs."""
    with asking(archive, "QIDO-RS"):
        response = session.get(
            f"{archive.url.rstrip('/')}/{asked.query}",
            headers={"Accept": "application/dicom+json"},
            timeout=archive.timeout,
        )
        response.raise_for_status()
        answers = [Dataset.from_json(each) for each in response.json()] if response.content else []
        return {str(answer[_UID_OF[asked.level]].value): answer for answer in answers}


def _differences(asked: Search, answers: dict[str, Dataset], images: Iterable[Dataset]) -> list[str]:
    """Return where an answer says something else than the file, or nothing."""
    found = []
    for image in images:
        answer = answers.get(str(image[_UID_OF[asked.level]].value))
        if answer is None:
            continue
        for keyword in _ANSWERED[asked.level]:
            sent, said = (str(each.get(keyword, "") or "").strip() for each in (image, answer))
            if sent != said:
                found.append(f"{keyword} is {sent!r} in the file, and {said or 'missing'!r} in the answer")
    return found
