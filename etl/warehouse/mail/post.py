"""The post: which server takes mail, for whom, and how it is handed over."""

import os
import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import getaddresses

from etl.errors import BadUse, BloodhoundError

TIMEOUT_SECONDS = 30


class NotSent(BloodhoundError):
    """The mail server did not take the mail."""


@dataclass(frozen=True)
class Post:
    """Where mail goes out, and to whom; from the environment, since it holds a password."""

    host: str
    port: int
    security: str
    user: str
    password: str
    sender: str
    recipients: tuple[str, ...]


def read_post(environment: Mapping[str, str] = os.environ) -> Post | None:
    """Read the mail settings; None when no server is named.

    Raises:
        BadUse: a setting is missing or has no sense.
    """
    host = environment.get("BLOODHOUND_SMTP_HOST", "")
    if not host:
        return None
    security = environment.get("BLOODHOUND_SMTP_SECURITY", "starttls")
    if security not in ("starttls", "tls", "none"):
        raise BadUse(f"BLOODHOUND_SMTP_SECURITY is {security!r}", "It is starttls, tls or none")
    port = environment.get("BLOODHOUND_SMTP_PORT", {"starttls": "587", "tls": "465", "none": "25"}[security])
    if not port.isdecimal():
        raise BadUse(f"BLOODHOUND_SMTP_PORT is {port!r}", "It is a number")
    sender = environment.get("BLOODHOUND_MAIL_FROM", "")
    recipients = tuple(address for _, address in getaddresses([environment.get("BLOODHOUND_MAIL_TO", "")]) if address)
    if "@" not in sender or not recipients:
        raise BadUse("a mail needs BLOODHOUND_MAIL_FROM and BLOODHOUND_MAIL_TO", "Addresses; several with commas")
    user, password = (environment.get(f"BLOODHOUND_SMTP_{name}", "") for name in ("USER", "PASSWORD"))
    if password and security == "none" and host not in ("localhost", "127.0.0.1", "::1"):
        raise BadUse("the mail server's password would go over the network in the clear", "Take starttls or tls")
    return Post(host, int(port), security, user, password, sender, recipients)


def send(message: EmailMessage, post: Post) -> None:
    """Hand the mail to the server.

    Raises:
        NotSent: it did not take it; the message says why, never with the password.
    """
    name, _, domain = post.sender.rpartition("@")
    message["From"] = Address("Bloodhound", name, domain)
    message["To"] = ", ".join(post.recipients)
    trusted = ssl.create_default_context()
    try:
        if post.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(post.host, post.port, timeout=TIMEOUT_SECONDS, context=trusted)
        else:
            server = smtplib.SMTP(post.host, post.port, timeout=TIMEOUT_SECONDS)
        with server:
            if post.security == "starttls":
                server.starttls(context=trusted)
            if post.user:
                server.login(post.user, post.password)
            refused = server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        raise NotSent(f"the mail server {post.host}:{post.port} did not take the mail: {error}") from error
    if refused:
        raise NotSent(f"the mail server refused {', '.join(refused)}", "The others have it")
