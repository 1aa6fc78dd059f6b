"""Keystone's records: users, their roles and tokens, projects."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True, frozen=True)
class Project:
    """A project of the only domain."""

    id: str
    name: str


@dataclass(slots=True, frozen=True)
class User:
    """A user with its roles on every project. Roles other than admin see their project only."""

    id: str
    name: str
    password: str
    roles: tuple[str, ...] = ("admin", "manager", "member", "reader")


@dataclass(slots=True, frozen=True)
class Token:
    """What a user got for its password."""

    id: str
    user: User
    project: Project | None
    issued: datetime

    @property
    def is_admin(self) -> bool:
        """Whether it may see and do everything."""
        return "admin" in self.user.roles


class Identity:
    """All users and projects."""

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        self.projects: dict[str, Project] = {}
        self.tokens: dict[str, Token] = {}

    def issue(self, user: User, project: Project | None, now: datetime) -> Token:
        """Return a new token."""
        token = Token(secrets.token_urlsafe(32), user, project, now)
        self.tokens[token.id] = token
        return token

    def project_named(self, name: str | None) -> Project | None:
        """Return the project of a name or id."""
        if name in self.projects:
            return self.projects[name]
        return next((p for p in self.projects.values() if p.name == name), None)
