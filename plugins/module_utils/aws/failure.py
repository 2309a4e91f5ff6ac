# SPDX-License-Identifier: GPL-3.0-or-later
"""What an error of AWS's API means, as a sentence that says what to do."""

from __future__ import annotations

import contextlib

# No answer at all, for whatever reason; and what is there but cannot be used as credentials. Empty without botocore.
UNREACHABLE: tuple[type[Exception], ...] = ()
UNUSABLE: tuple[type[Exception], ...] = ()
with contextlib.suppress(ImportError):  # AnsibleAWSModule says so.
    from botocore.exceptions import (
        ClientError,
        CredentialRetrievalError,
        EndpointConnectionError,
        HTTPClientError,
        NoCredentialsError,
        PartialCredentialsError,
        ProfileNotFound,
        SSOError,
        TokenRetrievalError,
    )

    UNREACHABLE = (EndpointConnectionError, HTTPClientError)
    UNUSABLE = (CredentialRetrievalError, PartialCredentialsError, ProfileNotFound, SSOError, TokenRetrievalError)

DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
REFUSED = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
# Where the name of the permission is not that of the call.
PREFIXES = {"elbv2": "elasticloadbalancing", "resourcegroupstaggingapi": "tag"}
ACTIONS = {"s3:ListBuckets": "s3:ListAllMyBuckets", "s3:HeadBucket": "s3:ListBucket"}


def code_of(error: Exception) -> str:
    """AWS's code of the error; empty if the error is not an answer of AWS."""
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else ""


def denied_action(service: str, error: Exception) -> str | None:
    """The IAM action that is missing, such as C(ec2:DescribeVpcs); None if the error is another one."""
    if not isinstance(error, ClientError) or code_of(error) not in DENIED:
        return None
    action = f"{PREFIXES.get(service, service)}:{error.operation_name}"
    return ACTIONS.get(action, action)


def denied_sentence(actions: list[str], doing: str) -> str:
    """What to say about missing permissions, all at once."""
    return (
        f"{doing} needs permissions that these credentials lack: {', '.join(sorted(set(actions)))}. Add them to the "
        "policy of the user or role that runs this (for all of them: `make policy STACK=<stack>`), "
        "or use other credentials."
    )


def sentence(service: str, error: Exception, doing: str) -> str:
    """What to say about any other error."""
    if isinstance(error, NoCredentialsError):
        return (
            f"{doing}: no AWS credentials were found. Set them in the environment (AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY), select a profile (AWS_PROFILE), run 'aws sso login', or run this on an instance "
            "with a role."
        )
    if isinstance(error, UNUSABLE):
        return (
            f"{doing}: the AWS credentials cannot be used ({str(error).rstrip('.')}). With SSO, run 'aws sso login'; "
            "otherwise check AWS_PROFILE and the profile's entries."
        )
    if code_of(error) in REFUSED:
        return f"{doing}: AWS does not accept these credentials ({error}). If they expired, sign in and try again."
    if isinstance(error, EndpointConnectionError):
        return f"{doing}: {error} Check the network of this machine, the name of the region, and AWS_ENDPOINT_URL."
    action = denied_action(service, error)
    if action:
        return denied_sentence([action], doing)
    return f"{doing}: {PREFIXES.get(service, service)} answered: {error}"
