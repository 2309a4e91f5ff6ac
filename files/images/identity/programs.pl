# SPDX-License-Identifier: GPL-3.0-or-later
# HTTP Basic: LemonLDAP::NG names a session after what the program sends. Where several requests of a program arrive at once, at one host
# or several, and there is none yet, only one of them could make it, and the others would be refused. So each process, which answers one
# request at a time, has a session of its own.
use strict;
use warnings;
use Digest::SHA 'sha256_hex';
use Lemonldap::NG::Handler::Lib::AuthBasic;
use Sys::Hostname 'hostname';

my $of_program = \&Lemonldap::NG::Handler::Lib::AuthBasic::fetchId;
no warnings 'redefine';
*Lemonldap::NG::Handler::Lib::AuthBasic::fetchId = sub {
    my $id = $of_program->(@_);
    return $id && sha256_hex( join ' ', $id, hostname(), $$ );
};

1;
