# SPDX-License-Identifier: GPL-3.0-or-later
# Mails links to choose a new password to those who have asked for one. What it needs is in mail.json: archive, url, seconds, and smtp with
# host, port, tls (starttls or tls), sender, ca (the file of a CA, or empty), and user and password if the server asks for them.
#
#   mailer FILE
use strict;
use warnings;
use utf8;
use lib '/usr/share/perl5';
use DBI;
use Email::Date::Format qw(email_date);
use Encode              qw(encode);
use IO::Socket::SSL     qw(SSL_VERIFY_PEER);
use JSON;
use MIME::Entity;
use Net::SMTP;
use Orthweb::Event;
use constant { LOOK => 2, AGAIN => 5, PATIENCE => 20 };

# In the language of who has asked: the subject, and the text.
my %texts = (
    en => [ 'Choose a new password', <<'END' ],
Somebody, most likely you, has asked for a new password for the account {account} of {archive}. Choose it here:

{link}

This link works once, and for {minutes} minutes. If you have not asked for it, do nothing: your password stays as it is.
END
    de => [ 'Wählen Sie ein neues Passwort', <<'END' ],
Jemand, vermutlich Sie, hat um ein neues Passwort für das Konto {account} von {archive} gebeten. Wählen Sie es hier:

{link}

Dieser Link gilt einmal und {minutes} Minuten lang. Wenn Sie nicht darum gebeten haben, tun Sie nichts: Ihr Passwort bleibt, wie es ist.
END
    fr => [ 'Choisissez un nouveau mot de passe', <<'END' ],
Quelqu'un, sans doute vous, a demandé un nouveau mot de passe pour le compte {account} de {archive}. Choisissez-le ici :

{link}

Ce lien sert une seule fois, pendant {minutes} minutes. Si vous ne l'avez pas demandé, ne faites rien : votre mot de passe reste le même.
END
);

sub content { open( my $file, '<', $_[0] ) or die "$_[0]: $!\n"; local $/; return <$file> }
my $settings = decode_json( content( $ARGV[0] ) );
my $smtp     = $settings->{smtp};
my $count    = 0;

sub message {
    my $asked  = shift;
    my %values = (
        %$asked,
        archive => $settings->{archive},
        link    => "$settings->{url}/auth/resetpwd?mail_token=$asked->{link}",
        minutes => $settings->{seconds} / 60,
    );
    my ( $subject, $text ) = map { s/\{(\w+)\}/$values{$1}/gr } @{ $texts{ $asked->{language} } // $texts{en} };
    my $made = MIME::Entity->build(
        From         => $smtp->{sender},
        To           => $asked->{mail},
        Subject      => encode( 'MIME-Header', "$settings->{archive}: $subject" ),
        Date         => email_date,
        'Message-ID' => sprintf( '<%s.%s.%s@%s>', time, $$, ++$count, $smtp->{sender} =~ s/.*@//r ),
        Type         => 'text/plain',
        Charset      => 'utf-8',
        Encoding     => 'quoted-printable',
        'X-Mailer'   => undef,
        Data         => encode( 'utf-8', $text ),
    );
    $made->head->add( 'Auto-Submitted', 'auto-generated' );
    return $made->stringify;
}

# The last line that the server has said.
sub said { return ( $_[0]->message // '' ) =~ s/\s+\z//r =~ s/.*\n//sr }

# Nothing if it was sent; else what is wrong, and whether it is the recipient.
sub problem {
    my ( $mail, $message ) = @_;
    my $where = "$smtp->{host}:$smtp->{port}";
    my %tls   = (
        SSL_verify_mode     => SSL_VERIFY_PEER,
        SSL_verifycn_scheme => 'smtp',
        SSL_verifycn_name   => $smtp->{host},
        SSL_hostname        => $smtp->{host} =~ /[a-z]/i && $smtp->{host} !~ /:/ ? $smtp->{host} : '',
        ( $smtp->{ca} ? ( SSL_ca_file => $smtp->{ca} ) : () ),
    );
    my $server = Net::SMTP->new(
        $smtp->{host},
        Port    => $smtp->{port},
        Timeout => PATIENCE,
        Hello   => $smtp->{sender} =~ s/.*@//r,
        ( $smtp->{tls} eq 'tls' ? ( SSL => 1, %tls ) : () ),
    ) or return "$where: " . ( $@ || $IO::Socket::SSL::SSL_ERROR || 'no answer' ) =~ s/\s+/ /gr;
    if ( $smtp->{tls} eq 'starttls' ) {
        return "$where: it does not offer STARTTLS" unless defined $server->supports('STARTTLS');
        return "$where: STARTTLS: " . ( $IO::Socket::SSL::SSL_ERROR || said($server) ) unless $server->starttls(%tls);
    }
    if ( $smtp->{user} ) {
        return "$where: it refuses the user $smtp->{user}: " . said($server)
          unless $server->auth( map { encode( 'utf-8', $smtp->{$_} ) } qw(user password) );
    }
    return "$where: it refuses the sender $smtp->{sender}: " . said($server) unless $server->mail( $smtp->{sender} );
    return ( "$where: it refuses the recipient: " . said($server), $server->code >= 500 ) unless $server->to($mail);
    return "$where: it refuses the message: " . said($server) unless $server->data($message);
    $server->quit;
    return;
}

# Takes one request, if there is one. Undone if the mail could not be sent: then it is tried again, for a quarter of an hour.
my $known = '';
sub work {
    my $database = DBI->connect_cached( 'dbi:Pg:service=identity', '', '', { RaiseError => 1, PrintError => 0 } );
    $database->begin_work;
    my ($taken) = $database->selectrow_array( 'SELECT identity.take_link_request(?)', undef, $settings->{seconds} );
    my $asked = $taken && decode_json( encode( 'utf-8', $taken ) );
    my ( $problem, $is_recipient ) = $asked ? problem( $asked->{mail}, message($asked) ) : ();
    $problem && !$is_recipient ? $database->rollback : $database->commit;
    return LOOK unless $asked;
    if ( ( $problem // '' ) ne $known ) {
        $known = $problem // '';
        print STDERR $known ? "Links to choose a new password cannot be mailed: $known\n" : "Links are mailed again.\n";
    }
    return AGAIN if $problem && !$is_recipient;
    my %more = ( account => $asked->{account}, $problem ? ( reason => 'refused recipient' ) : () );
    Orthweb::Event::note( 'password link mailed', $problem ? 'failure' : 'success', $asked->{address}, %more );
    return 0;
}

while (1) {
    my $pause = eval { work() };
    unless ( defined $pause ) {
        eval { DBI->connect_cached('dbi:Pg:service=identity')->disconnect };
        $pause = AGAIN;
    }
    sleep $pause;
}
