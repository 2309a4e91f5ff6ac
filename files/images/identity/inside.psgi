# SPDX-License-Identifier: GPL-3.0-or-later
# The portal that makes sessions for HTTP Basic. It is asked inside the container only, and told from which address the request is.
use Lemonldap::NG::Portal::Main;

my $portal = Lemonldap::NG::Portal::Main->run( {} );
sub {
    my $env = shift;
    $env->{REMOTE_ADDR} = $1 if ( $env->{HTTP_X_FORWARDED_FOR} // '' ) =~ /([0-9a-f:.]+)$/;
    $portal->($env);
}
