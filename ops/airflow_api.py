"""The little of Airflow's REST API that driving the DAG needs."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

DAG = "bloodhound"
ONE_WRITER = "one_writer"
ACTIVE = {"queued", "running"}
ERROR_LEVELS = {"error", "critical"}


@dataclass(frozen=True)
class Run:
    """One run of the DAG."""

    run_id: str
    state: str

    @property
    def is_active(self) -> bool:
        """Tell whether it has not ended."""
        return self.state in ACTIVE

    @property
    def path(self) -> str:
        """Where it stands in the API."""
        return f"/dags/{DAG}/dagRuns/{quote(self.run_id, safe='')}"

    @property
    def page(self) -> str:
        """Where it stands in the UI."""
        return f"/dags/{DAG}/runs/{quote(self.run_id, safe='')}"


@dataclass(frozen=True)
class Task:
    """One task of one run."""

    run: Run
    name: str
    state: str
    seconds: float
    tries: int


class AirflowApi:
    """A logged-in session with the API of one Airflow.

    Every method raises httpx.HTTPError when the server does not answer as it should.
    """

    def __init__(self, url: str, password: str) -> None:
        self._password = password
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False)

    def close(self) -> None:
        """Give the connection back."""
        self._http.close()

    def log_in(self) -> None:
        """Get a token; it lasts a day."""
        login = {"username": "admin", "password": self._password}
        answer = self._http.post("/auth/token", json=login).raise_for_status()
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def _get(self, path: str, **parameters: Any) -> Any:
        answer = self._http.get(f"/api/v2{path}", params=parameters)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self.log_in()
            answer = self._http.get(f"/api/v2{path}", params=parameters)
        return answer.raise_for_status().json()

    def is_healthy(self) -> bool:
        """Tell whether the server answers and the scheduler has begun to beat."""
        try:
            health = self._get("/monitor/health")
        except httpx.TransportError:
            return False
        return bool(health["scheduler"]["status"] == "healthy")

    def warm_up(self) -> None:
        """Make the server build what tasks will ask for; how it answers is of no interest."""
        with suppress(httpx.HTTPError):
            self._http.get("/execution/health")

    def import_errors(self) -> list[str]:
        """Return the last line of what hinders each DAG file."""
        found = self._get("/importErrors")["import_errors"]
        return [f"{error['filename']}: {error['stack_trace'].strip().split(chr(10))[-1]}" for error in found]

    def dag(self) -> dict[str, Any] | None:
        """Return what Airflow knows of the DAG, None before it has read it."""
        found = self._get("/dags", dag_id_pattern=DAG)["dags"]
        return next((dag for dag in found if dag["dag_id"] == DAG), None)

    def ensure_pool(self) -> None:
        """Make the one-slot pool that every writing task holds."""
        pool = {"name": ONE_WRITER, "slots": 1, "description": "One writer of lake and warehouse"}
        answer = self._http.post("/api/v2/pools", json=pool)
        if answer.status_code != httpx.codes.CONFLICT:
            answer.raise_for_status()

    def trigger(self, conf: dict[str, str] | None = None) -> Run:
        """Start a run now; `conf` names the DAG's params."""
        body = {"logical_date": None, "conf": conf or {}}
        answer = self._http.post(f"/api/v2/dags/{DAG}/dagRuns", json=body).raise_for_status().json()
        return Run(answer["dag_run_id"], answer["state"])

    def run(self, run: Run) -> Run:
        """Look at a run again."""
        return Run(run.run_id, self._get(run.path)["state"])

    def active_runs(self) -> list[Run]:
        """Return the runs that wait or run, whoever began them."""
        found = self._get(f"/dags/{DAG}/dagRuns", state=sorted(ACTIVE), limit=100)["dag_runs"]
        return [Run(run["dag_run_id"], run["state"]) for run in found]

    def tasks(self, run: Run) -> list[Task]:
        """Return the tasks of a run in the order they started."""
        found = self._get(f"{run.path}/taskInstances")["task_instances"]
        found.sort(key=lambda task: task["start_date"] or "~")
        return [
            Task(
                run,
                task["task_id"],
                task["state"] or "waiting",
                task["duration"] or 0.0,
                task["try_number"],
            )
            for task in found
        ]

    def result(self, task: Task) -> dict[str, Any]:
        """Return the counts a task left, an empty dict when it left none."""
        path = f"{task.run.path}/taskInstances/{task.name}"
        try:
            value = self._get(f"{path}/xcomEntries/return_value", deserialize="true")["value"]
        except httpx.HTTPStatusError:
            return {}
        return value if isinstance(value, dict) else {}

    def reason(self, task: Task) -> str:
        """Return why a task failed: the last exception of its log, else the last error line."""
        path = f"{task.run.path}/taskInstances/{task.name}"
        try:
            content = self._get(f"{path}/logs/{max(task.tries, 1)}", full_content="true")["content"]
        except httpx.HTTPStatusError as error:
            return f"its log is not to be had ({error.response.status_code})"
        lines = [line for line in content if isinstance(line, dict)]
        raised = [line["error_detail"][0] for line in lines if line.get("error_detail")]
        if raised:
            return f"{raised[-1]['exc_type']}: {raised[-1]['exc_value']}"
        errors = [str(line["event"]) for line in lines if line.get("level") in ERROR_LEVELS]
        return errors[-1] if errors else "its log says nothing: was the process killed?"
