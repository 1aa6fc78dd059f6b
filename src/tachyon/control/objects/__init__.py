"""The objects of the control plane: records, state machines, and the database they live in."""

from __future__ import annotations

from tachyon.control.objects.action import Action
from tachyon.control.objects.action_description import ActionDescription
from tachyon.control.objects.action_plan import ActionPlan
from tachyon.control.objects.audit import Audit
from tachyon.control.objects.audit_template import AuditTemplate
from tachyon.control.objects.collection import Collection
from tachyon.control.objects.database import Database
from tachyon.control.objects.efficacy_indicator import EfficacyIndicator
from tachyon.control.objects.goal import Goal
from tachyon.control.objects.objects import KINDS, Objects
from tachyon.control.objects.record import Change, Record
from tachyon.control.objects.scoring_engine import ScoringEngine
from tachyon.control.objects.service import Service
from tachyon.control.objects.strategy import Strategy

__all__ = [
    "KINDS",
    "Action",
    "ActionDescription",
    "ActionPlan",
    "Audit",
    "AuditTemplate",
    "Change",
    "Collection",
    "Database",
    "EfficacyIndicator",
    "Goal",
    "Objects",
    "Record",
    "ScoringEngine",
    "Service",
    "Strategy",
]
