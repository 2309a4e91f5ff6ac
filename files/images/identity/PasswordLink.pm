# SPDX-License-Identifier: GPL-3.0-or-later
# A plugin of LemonLDAP::NG: its page at which somebody with a link chooses a new password. Differs from its own in that
# - the database has the hash of a link (roles/identity/files/passwords.sql), so that a backup opens no account;
# - a link lasts until the password has been changed, and not only until a first one that is too short. The session of a link, and
#   those of forms that it has led to, belong to the account: the trigger on its password ends all of them;
# - an account is found by its name also if that looks like a mail address, and is always one of this archive;
# - nobody is sent a password, and links are mailed by another program.
package Orthweb::PasswordLink;

use strict;
use DBI;
use Digest::SHA qw(sha256_hex);
use Mouse;
use Lemonldap::NG::Portal::Main::Constants qw(PE_BADMAILTOKEN PE_ERROR PE_MAILCONFIRMOK PE_MAILOK PE_NOTOKEN PE_PASSWORD_OK);

extends 'Lemonldap::NG::Portal::Plugins::MailPasswordReset';

use constant FORM_SECONDS => 900;

sub init {
    my $self = shift;
    return 0 unless $self->SUPER::init;
    $self->ott->timeout(FORM_SECONDS);
    $self->addAuthRoute( resetpwd => 'resetPwd', [ 'POST', 'GET' ] );    # somebody may be logged in in this browser
    return 1;
}

sub resetPwd {
    my ( $self, $req ) = @_;
    my $given = $req->parameters;
    my $link = $req->query_parameters->get('mail_token');
    $given->remove($_) for qw(mail_token reset lmAuth);
    my $chosen = grep { length( $given->get($_) // '' ) } qw(newpassword confirmpassword);
    $given->set( mail_token => $self->stored($link) ) if length( $link // '' ) && !$chosen;
    $given->set( lmAuth => $self->conf->{authChoiceAuthBasic} ) if $self->conf->{authentication} eq 'Choice';
    return $self->SUPER::resetPwd($req);
}

# The name of a link's session; forms have tokens in the same table, whose names are hashes, too.
sub stored {
    my ( $self, $link ) = @_;
    my $found = $self->p->getApacheSession( sha256_hex($link), kind => 'TOKEN', hashStore => 0 );
    return $found && ( $found->data->{_type} // '' ) eq 'mail' ? sha256_hex($link) : 'none';
}

# Whoever asks for a link by mail is answered before anything is looked up (mailer.pl does that), so that all get the same answer.
sub searchUser {
    my ( $self, $req ) = @_;
    return $self->SUPER::searchUser( $req, 0 ) if $req->data->{mailToken};
    my @asked = ( $req->user, $self->p->getLanguage($req), $req->address );
    return PE_MAILCONFIRMOK if eval {
        my $database = DBI->connect_cached( 'dbi:Pg:service=identity', '', '', { RaiseError => 1, PrintError => 0 } );
        $database->do( 'SELECT identity.ask_for_link(?, ?, ?)', undef, @asked );
    };
    return PE_ERROR;
}

sub changePwd {
    my ( $self, $req ) = @_;
    my $result = $self->SUPER::changePwd($req);
    return $result == PE_MAILOK ? PE_PASSWORD_OK : $result == PE_NOTOKEN ? PE_BADMAILTOKEN : $result;
}

sub sendEmail { 1 }

1;
