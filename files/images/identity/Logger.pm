# SPDX-License-Identifier: GPL-3.0-or-later
# The log without what somebody has typed who is nobody here: it may be a password.
package Orthweb::Logger;

use strict;
use warnings;
use parent 'Lemonldap::NG::Common::Logger::Std';

for my $level (qw(error warn notice)) {
    no strict 'refs';
    *$level = sub {
        my ( $self, $message ) = @_;
        $message =~ s/\AUser .* not found.*\z/There is no such account/s;
        $message =~ s/\A(XSS attack detected \(param: \w+).*\z/$1)/s;
        $message =~ s/[\x00-\x08\x0a-\x1f\x7f]/ /g;
        my $log = $self->can("SUPER::$level") || Lemonldap::NG::Common::Logger::Std->can($level);
        $log->( $self, $message );
    };
}

1;
