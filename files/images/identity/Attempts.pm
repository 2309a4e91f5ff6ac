# SPDX-License-Identifier: GPL-3.0-or-later
# A plugin of LemonLDAP::NG, for the audit trail: logins that fail, which it reports to its log alone, and passwords that are changed.
# The name is written down if there is such an account.
package Orthweb::Attempts;

use strict;
use Mouse;
use Lemonldap::NG::Portal::Main::Constants qw(PE_OK PE_PASSWORD_OK portalConsts);
use Orthweb::Event;

extends 'Lemonldap::NG::Portal::Main::Plugin';

use constant aroundSub => { getUser => 'lookUp', authenticate => 'authenticate', storeHistory => 'storeHistory' };
use constant hook      => { passwordAfterChange => 'passwordChanged' };

sub init { 1 }

sub refused {
    my ( $req, $result, $account ) = @_;
    return if $req->data->{attemptNoted}++;
    my $reason = lc( portalConsts->{$result} // $result ) =~ s/^pe_//r;
    Orthweb::Event::note( 'login', 'failure', $req->address, account => $account, reason => $reason );
}

sub lookUp {
    my ( $self, $sub, $req ) = @_;
    my $result = $sub->($req);
    refused( $req, $result, '' ) if $result > PE_OK;
    return $result;
}

sub authenticate {
    my ( $self, $sub, $req ) = @_;
    my $result = $sub->($req);
    refused( $req, $result, $req->user ) if $result > PE_OK;
    return $result;
}

# After the password was right: the account is locked, or may not log in.
sub storeHistory {
    my ( $self, $sub, $req ) = @_;
    my $result = $sub->($req);
    my $before = $req->authResult // PE_OK;
    refused( $req, $before, $req->sessionInfo->{_whatToTrace} ) if $before > PE_OK;
    return $result;
}

sub passwordChanged {
    my ( $self, $req, $user ) = @_;
    Orthweb::Event::note( 'password changed', 'success', $req->address, account => $user );
    return PE_OK;
}

1;
