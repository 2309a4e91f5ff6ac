# SPDX-License-Identifier: GPL-3.0-or-later
"""The AWS API: the moto server, corrected where AWS is known to behave otherwise, one file a service.

The environment must be set before moto is imported for the first time, so importing this package does that.
"""

import os
from pathlib import Path

os.environ.update(
    MOTO_IAM_LOAD_MANAGED_POLICIES="true",  # attaching AmazonSSMManagedInstanceCore needs it to exist
    MOTO_AMIS_PATH=str(Path(__file__).parent / "amis.json"),  # moto's own list has no Debian
    MOTO_ENABLE_AMI_VALIDATION="true",
    MOTO_ENABLE_KEYPAIR_VALIDATION="true",
    MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION="true",
)
