/** The installation itself: health, workers, work that waits or was given up, errors, refusals, onboarding. */
import { db } from "../session.js";
import { ALL, ask, askSome, useLive } from "../data.js";
import { number, phone, t } from "../words.js";
import { act, Card, Do, html, Loaded, Rows, Table, Time } from "../parts.js";

/** `no_such_domain` as words. */
const plain = (name) => name.replaceAll("_", " ");

/** `reason: no such domain, attempts: 5` of an object. */
const facts = (data) =>
  Object.entries(data ?? {}).map(([name, value]) =>
    `${plain(name)}: ${typeof value === "string" ? value : JSON.stringify(value)}`
  ).join(", ");

const some = (view, columns, shape) => () => askSome(shape(db.from(view).select(columns, ALL)));

export default function System() {
  const health = useLive(
    () =>
      ask(
        db.from("health_checks").select("checked_at, healthy, failing").order("checked_at", {
          ascending: false,
        }).limit(1),
      ),
    "health",
  );
  const workers = useLive(
    () =>
      ask(
        db.from("worker_runs").select("worker, last_run_at, last_ok_at, runs, failures").order(
          "worker",
        ),
      ),
    "workers",
  );
  const functions = useLive(
    () =>
      ask(
        db.from("webhook_performance").select("function, requests, errors, refused, p50_ms, p95_ms")
          .order("function"),
      ),
    "functions",
    10_000,
  );
  const work = useLive(
    async () =>
      (await ask(
        db.from("jobs_waiting").select("kind, waiting, running, dead, oldest_at, held_for"),
      ))
        .filter(({ waiting, running, dead }) => waiting + running + dead > 0),
    "work",
  );
  const dead = useLive(
    some(
      "jobs",
      "id, kind, attempts, last_error, ended_at",
      (jobs) => jobs.eq("status", "dead").order("ended_at", { ascending: false }).limit(20),
    ),
    "dead",
  );
  const errors = useLive(
    some(
      "recent_errors",
      "event_type, event_data, severity, created_at",
      (rows) => rows.limit(20),
    ),
    "errors",
  );
  const refusals = useLive(
    some(
      "rate_limit_violations",
      "identifier, identifier_type, endpoint, violation_count, last_violation",
      (rows) => rows.limit(20),
    ),
    "refusals",
  );
  const numbers = useLive(
    some(
      "number_provisioning_status",
      "e164_number, business_name, country, provisioned_at",
      (rows) => rows.order("provisioned_at", { ascending: false }).limit(20),
    ),
    "numbers",
    10_000,
  );
  const failed = useLive(
    some(
      "failed_transactions",
      "id, transaction_type, org_id, error_message, steps_completed, started_at",
      (rows) => rows.limit(20),
    ),
    "failed",
    10_000,
  );
  const none = t("None.", "Aucun.");
  const day = t("24 hours", "24 heures");
  const newest = (live) =>
    html`<p class="note">${
      t(`The newest of ${live.data?.total}.`, `Les plus récents de ${live.data?.total}.`)
    }</p>`;

  return html`
    <h1>${t("System", "Système")}</h1>
    <div class="columns">
      <${Card} id="health" title=${t("Health", "Santé")}>
        <${Rows} of=${health} empty=${t(
          "Not checked yet: the scheduler does it each minute.",
          "Pas encore vérifiée : le planificateur le fait chaque minute.",
        )} item=${({ checked_at, healthy, failing }) =>
          html`
            <li
              key="health"><span class=${`tag ${healthy ? "good" : "bad"}`}>${healthy
                ? t("healthy", "saine")
                : t("unhealthy", "en défaut")}</span><span class="grow">${failing.map(plain).join(
                  ", ",
                )}</span> <small>${t(
                  "checked",
                  "vérifiée",
                )} <${Time} at=${checked_at} /></small></li>
          `} />
        <//>
        <${Card} id="workers" title=${t("Workers", "Tâches de fond")}>
          <${Loaded} of=${workers} empty=${t("None has run yet.", "Aucune n’a tourné.")}>${(rows) =>
            html`
              <${Table} id="workers" rows=${rows} columns=${[
                [t("Worker", "Tâche"), (row) => row.worker],
                [
                  t("Last success", "Dernier succès"),
                  ({ last_ok_at }) => html`<${Time} at=${last_ok_at} />`,
                ],
                [
                  t("Failed", "Échecs"),
                  (row) => `${number(row.failures)} / ${number(row.runs)}`,
                  true,
                ],
              ]} />
            `}<//>
      <//>
      <${Card} id="work" title=${t("Work that waits", "Travail en attente")}>
        <${Loaded} of=${work} empty=${none}>${(rows) =>
          html`
            <${Table} id="work" rows=${rows} columns=${[
              [t("Kind", "Sorte"), (row) => plain(row.kind)],
              [t("Waiting", "En attente"), (row) => number(row.waiting), true],
              [t("Running", "En cours"), (row) => number(row.running), true],
              [t("Given up", "Abandonné"), (row) => number(row.dead), true],
              [t("Oldest", "Plus ancien"), ({ oldest_at }) => html`<${Time} at=${oldest_at} />`],
              [t("Held for", "Suspendu"), (row) => row.held_for ?? ""],
            ]} />
          `}<//>
      <//>
      <${Card} id="dead" title=${t("Given up", "Abandonné")} n=${dead.data?.total}>
        <${Rows} of=${dead} empty=${none} more=${newest(dead)} item=${(row) =>
          html`
            <li key=${row.id}>
              <div
                class="grow"><strong>${plain(row.kind)}</strong> <small>${t(
                  "tries",
                  "essais",
                )}: ${row.attempts}, <${Time} at=${row.ended_at} /></small><p>${row
                  .last_error}</p></div>
              <${Do} aria-label=${t(
                `Try again: ${plain(row.kind)} ${row.id}`,
                `Réessayer : ${plain(row.kind)} ${row.id}`,
              )} act=${() =>
                act(
                  () => ask(db.rpc("retry_job", { p_id: row.id })).then(dead.reload),
                  t("It is tried again.", "Nouvel essai."),
                )}>${t("Try again", "Réessayer")}<//></li>
          `} />
      <//>
      <${Card} id="errors" title=${`${t("Errors", "Erreurs")}, ${day}`} n=${errors.data?.total}>
        <${Rows} of=${errors} empty=${none} more=${newest(errors)} item=${(row) =>
          html`
            <li key=${row.created_at}>
              <div
                class="grow"><strong>${plain(row.event_type)}</strong> <span class="tag bad">${row
                  .severity}</span> <small><${Time} at=${row.created_at} /></small>
                      <p class="small">${facts(row.event_data)}</p></div>
            </li>
          `} />
      <//>
      <${Card} id="refusals" title=${`${t("Rate-limit refusals", "Refus de débit")}, ${day}`}
        n=${refusals.data?.total}>
        <${Rows} of=${refusals} empty=${none} more=${newest(refusals)} item=${(row) =>
          html`
            <li
              key=${`${row.endpoint} ${row.identifier_type} ${row.identifier}`}><span class="grow">${phone(
                row.identifier,
              )} <small>${row.endpoint}, ${row
                .identifier_type}</small></span> <span class="tag warn">${number(
                  row.violation_count,
                )}</span> <small><${Time} at=${row.last_violation} /></small></li>
          `} />
      <//>
      <${Card} id="numbers" title=${t("Onboarded numbers", "Numéros des organisations")}
        n=${numbers.data?.total}>
        <${Rows} of=${numbers} empty=${none} more=${newest(numbers)} item=${(row) =>
          html`
            <li
              key=${row.e164_number}><span class="grow">${phone(row.e164_number)} <small>${row
                .business_name}</small></span> <span class="tag">${row
                .country}</span> <small><${Time} at=${row.provisioned_at} /></small></li>
          `} />
      <//>
      <${Card} id="failed" title=${t("Failed onboardings", "Mises en service échouées")}
        n=${failed.data?.total}>
        <${Rows} of=${failed} empty=${none} more=${newest(failed)} item=${(row) =>
          html`
            <li key=${row.id}>
              <div
                class="grow"><strong>${plain(row.transaction_type)}</strong> <small>${row
                  .org_id}, <${Time} at=${row.started_at} /></small><p>${row
                  .error_message}</p><p class="small">${row.steps_completed.map(({ step, state }) =>
                    `${plain(step)}: ${state}`
                  ).join(", ")}</p></div>
            </li>
          `} />
      <//>
    </div>
    <${Card} id="functions" title=${t("Functions, last hour", "Fonctions, dernière heure")}>
      <${Loaded} of=${functions} empty=${t("No request.", "Aucune requête.")}>${(rows) =>
        html`
          <${Table} id="functions" rows=${rows} columns=${[
            [t("Function", "Fonction"), (row) => row.function],
            [t("Requests", "Requêtes"), (row) => number(row.requests), true],
            [t("Errors", "Erreurs"), (row) => number(row.errors), true],
            [t("Rejected", "Rejetées"), (row) => number(row.refused), true],
            [t("Median, ms", "Médiane, ms"), (row) => row.p50_ms ?? "–", true],
            [t("95 %, ms", "95 %, ms"), (row) => row.p95_ms ?? "–", true],
          ]} />
        `}<//>
    <//>
  `;
}
