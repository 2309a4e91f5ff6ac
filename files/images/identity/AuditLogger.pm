# SPDX-License-Identifier: GPL-3.0-or-later
# What LemonLDAP::NG reports as an event goes to the audit trail, and to the log as before. Of somebody it does not know, it would write
# down the name that was typed, which may be a password.
package Orthweb::AuditLogger;

use strict;
use warnings;
use JSON;
use Orthweb::Event;
use Scalar::Util qw(weaken);

my %EVENTS = (
    LOGIN                  => [ 'login',                 'success' ],
    LOGOUT                 => [ 'logout',                'success' ],
    '2FA_SUCCESS'          => [ 'second factor',         'success' ],
    '2FA_FAILED'           => [ 'second factor',         'failure' ],
    '2FA_DEVICE_REGISTERED' => [ 'second factor added',   'success' ],
    '2FA_DEVICE_REGISTRATION_FAILED' => [ 'second factor added', 'failure' ],
    '2FA_DEVICE_DELETED'   => [ 'second factor removed', 'success' ],
    '2FA_DEVICE_EXPIRED'   => [ 'second factor removed', 'success' ],
    UNAUTHORIZED_REDIRECT  => [ 'redirect',              'failure' ],
);
my $json = JSON->new->canonical;

sub new {
    my ( $class, $portal ) = @_;
    my $self = bless { logger => $portal->userLogger }, $class;
    weaken $self->{logger};
    return $self;
}

sub log {
    my ( $self, $req, %fields ) = @_;
    my $code = $fields{code} // '';
    if ( my $event = $EVENTS{$code} ) {
        Orthweb::Event::note( @$event, $req->address, account => $fields{user}, reason => $fields{reason} );
    }
    delete @fields{qw(user message)} if $code eq 'REST_AUTHENTICATION_FAILURE';
    delete $fields{$_} for grep { ref $fields{$_} } keys %fields;
    $self->{logger}->notice( $json->encode( { %fields, remote_addr => $req->address } ) );
}

1;
