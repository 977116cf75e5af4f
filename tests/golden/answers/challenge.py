"""The form of golden/challenge: WWW-Authenticate lines as containerd reads them, and what it would ask a token for."""

from typing import Any

from webhook.core.challenge import Challenge, asked_token, parse_challenges
from webhook.core.errors import MalformedChallenge


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """`containerd`: the challenges in its order; `token`: what the first asks for, where that is a bearer challenge."""
    challenges = parse_challenges(question["header"])
    found: dict[str, Any] = {
        "containerd": [{"scheme": challenge.scheme, "parameters": challenge.parameters} for challenge in challenges]
    }
    if challenges and challenges[0].scheme == "bearer":
        found["token"] = _token(challenges[0])
    return found


def _token(challenge: Challenge) -> dict[str, Any]:
    try:
        asked = asked_token(challenge)
    except MalformedChallenge as error:
        return {"error": str(error)}
    return {"realm": asked.realm, "service": asked.service, "scopes": list(asked.scopes)}
