/** The last day and days: how many called, were served, hung up, and where; when; and how people answered. */
import { db, me } from "../session.js";
import { ask, useLive } from "../data.js";
import { minutes, money, number, phone, t } from "../words.js";
import { Bars, Card, html, Loaded, saveCsv, Table } from "../parts.js";

const sum = (rows, key) => rows.reduce((total, row) => total + Number(row[key] ?? 0), 0);
const percent = (part, whole) => whole === 0 ? "–" : `${Math.round(100 * part / whole)} %`;

export default function Reports() {
  const hours = useLive(
    () => ask(db.from("call_volume_hourly").select().order("hour").limit(200)),
    "hours",
    15_000,
  );
  const people = useLive(
    () =>
      ask(
        db.from("people_performance").select().gte(
          "day",
          new Date(Date.now() - 7 * 86_400_000).toISOString().slice(0, 10),
        ).order("day").order("name").limit(1000),
      ),
    "people",
    15_000,
  );
  return html`
    <div class="stack">
      <h1>${t("Reports", "Rapports")}</h1>
      <div class="columns">
        <${LastDay} />
        <${Stages} />
      </div>
      <p class="small">${t(
        `The last 7 days, in ${me.zone}.`,
        `Les 7 derniers jours, heure de ${me.zone}.`,
      )}</p>
      <${Loaded} of=${hours} empty=${t(
        "No call in the last 7 days.",
        "Aucun appel depuis 7 jours.",
      )}>${(rows) =>
        html`
          <${Days} rows=${rows} />
          <${Busiest} rows=${rows} />
        `}<//>
      <${Where} />
      <${Card} id="people" title=${t(
        "People",
        "Personnes",
      )} actions=${html`<button type="button" onClick=${() =>
        saveCsv("people.csv", PEOPLE(), perPerson(people.data ?? []))}>CSV</button>`}>
        <${Loaded} of=${people} empty=${t("Nobody was rung.", "Personne n’a été appelé.")}>${(
          rows,
        ) => html`<${Table} id="people" columns=${PEOPLE()} rows=${perPerson(rows)} />`}<//>
      <//>
    </div>
      <${Assistants} />
  `;
}

const WHERE = (title) => [
  [title, (row) => row.name],
  [t("Calls", "Appels"), (row) => row.total_calls, true],
  [t("Served", "Servis"), (row) => row.completed_calls, true],
  [t("Voicemail", "Messagerie"), (row) => row.voicemail_calls, true],
  [t("Hung up", "Ont raccroché"), (row) => row.abandoned_calls, true],
  [t("Hung up, %", "Raccrochés, %"), (row) => percent(row.abandoned_calls, row.total_calls), true],
  [
    t("Wait for a person", "Attente d’une personne"),
    (row) => row.connected_calls === 0 ? "–" : minutes(row.waited / row.connected_calls),
    true,
  ],
];

/** Rows of `calls_by_line` added up by `nameOf`. */
const added = (rows, nameOf) =>
  Object.entries(Object.groupBy(rows, nameOf)).map(([name, own]) => ({
    name,
    ...Object.fromEntries(
      ["total_calls", "completed_calls", "voicemail_calls", "abandoned_calls", "connected_calls"]
        .map((key) => [key, sum(own, key)]),
    ),
    waited: own.reduce((all, row) => all + (row.avg_wait_sec ?? 0) * row.connected_calls, 0),
  }));

/** By line and by flow. */
function Where() {
  const live = useLive(() => ask(db.from("calls_by_line").select().limit(500)), "where", 60_000);
  return [
    ["lines", t("Lines", "Lignes"), t("Line", "Ligne"), ({ line }) => phone(line)],
    [
      "by-flow",
      t("Flows", "Scénarios"),
      t("Flow", "Scénario"),
      ({ flow }) => flow ?? t("as the settings say", "selon les réglages"),
    ],
  ].map(([id, title, column, nameOf]) =>
    html`
      <${Card} key=${id} id=${id} title=${title} actions=${html`<button type="button" aria-label=${
        t(`CSV: ${title}`, `CSV : ${title}`)
      } onClick=${() =>
        saveCsv(`${id}.csv`, WHERE(column), added(live.data ?? [], nameOf))}>CSV</button>`}>
        <${Loaded} of=${live} empty=${t(
          "No call in the last 7 days.",
          "Aucun appel depuis 7 jours.",
        )}>${(rows) =>
          html`<${Table} id=${id} columns=${WHERE(column)} rows=${added(rows, nameOf)} />`}<//>
        <//>
    `
  );
}

const PROVIDERS = () => ({
  healthy: t("answers", "répond"),
  failing: t("fails", "en échec"),
  resting: t("rests after failures", "en pause après des échecs"),
});

/** What AI assistants cost, whom they led callers to, and how their models do; nothing where there are none. */
function Assistants() {
  const live = useLive(
    async () => {
      const since = new Date(Date.now() - 7 * 86_400_000).toISOString();
      const [costs, handoffs, latency, providers] = await Promise.all([
        ask(db.from("agent_cost_by_day").select().gte("day", since.slice(0, 10)).limit(500)),
        ask(db.from("agent_handoffs").select("outcome, accepted_at").gte("at", since).limit(1000)),
        ask(
          db.from("agent_turn_latency").select(
            "model, answers, first_token_p50_ms, first_token_p95_ms",
          ).order("hour", { ascending: false }).limit(500),
        ),
        ask(db.from("agent_provider_health").select("provider, state")),
      ]);
      return { costs, handoffs, latency, providers };
    },
    "assistants",
    60_000,
  );
  const { costs, handoffs, latency, providers } = live.data ?? {};
  if (!costs || costs.length + handoffs.length + latency.length === 0) return null;
  const models = [...new Set([...costs, ...latency].map(({ model }) => model))].map((model) => {
    const own = costs.filter((row) => row.model === model);
    const hours = latency.filter((row) => row.model === model);
    return {
      id: model,
      model,
      state: PROVIDERS()[providers.find(({ provider }) => model.startsWith(provider))?.state],
      answers: sum(own, "answers"),
      usd: sum(own, "cost_usd"),
      // Hours count as they have answers.
      typical: hours.reduce((all, row) => all + row.first_token_p50_ms * row.answers, 0) /
        sum(hours, "answers"),
      slow: Math.max(...hours.map(({ first_token_p95_ms }) => first_token_p95_ms)),
    };
  });
  const taken = handoffs.filter(({ accepted_at }) => accepted_at !== null).length;
  const seconds = (ms) => Number.isFinite(ms) ? `${(ms / 1000).toFixed(1)} s` : "–";
  return html`
    <${Card} id="assistants" title=${t("Assistants", "Assistants")}>
      <p>${t(
        `${number(handoffs.length)} talks led to a person or a message; a person took ${
          number(taken)
        }.`,
        `${number(handoffs.length)} conversations transférées ou notées ; ${
          number(taken)
        } prises par une personne.`,
      )}</p>
      <${Table} id="assistants" rows=${models} columns=${[
        [t("Model", "Modèle"), (row) => row.model],
        [t("Now", "État"), (row) => row.state ?? "–"],
        [t("Answers", "Réponses"), (row) => number(row.answers), true],
        [t("Cost", "Coût"), (row) => money(row.usd), true],
        [t("First word", "Premier mot"), (row) => seconds(row.typical), true],
        [t("Slowest hour", "Heure la plus lente"), (row) => seconds(row.slow), true],
      ]} />
      <//>
  `;
}

/** The last 24 hours as figures. */
function LastDay() {
  const live = useLive(async () => {
    const [[day], [hour], [consent]] = await Promise.all(
      ["call_success_metrics_24h", "call_success_metrics", "consent_metrics"].map((view) =>
        ask(db.from(view).select())
      ),
    );
    return { day, hour, consent };
  }, "day");
  const served = ({ success_rate_pct, completed_calls, failed_calls }) =>
    success_rate_pct === null
      ? "–"
      : `${number(success_rate_pct)} % (${number(completed_calls)} / ${
        number(completed_calls + failed_calls)
      })`;
  return html`
    <${Card} id="day" title=${t("Last 24 hours", "Dernières 24 heures")}>
      <${Loaded} of=${live}>${({ day, hour, consent }) =>
        html`
          <dl class="facts">
            <dt>${t("Calls", "Appels")}</dt>
            <dd>${number(day.total_calls)}</dd>
            <dt>${t("Served", "Servis")}</dt>
            <dd>${served(day)}</dd>
            <dt>${t("Served, last hour", "Servis, dernière heure")}</dt>
            <dd>${served(hour)}</dd>
            <dt>${t("Average call", "Durée moyenne")}</dt>
            <dd>${day.avg_call_duration_sec === null
              ? "–"
              : minutes(day.avg_call_duration_sec)}</dd>
            <dt>${t("Agreed to be recorded", "Enregistrement accepté")}</dt>
            <dd>${percent(
              consent.consented_calls,
              consent.consented_calls + consent.opted_out_calls,
            )}</dd>
          </dl>
        `}<//>
    <//>
  `;
}

const STAGES = () => ({
  arrived: t("Called", "Ont appelé"),
  consent_decided: t("Decided on recording", "Ont décidé pour l’enregistrement"),
  chose: t("Chose", "Ont choisi"),
  dialled: t("A telephone was rung", "Un téléphone a sonné"),
  answered: t("A person answered", "Une personne a répondu"),
  voicemail: t("Left a message", "Ont laissé un message"),
  abandoned: t("Hung up", "Ont raccroché"),
  failed: t("Failed", "Échecs"),
  rate_limited: t("Refused: too many calls", "Refusés : trop d’appels"),
});

/** How far callers came in the last 24 hours. */
function Stages() {
  const live = useLive(
    () => ask(db.from("call_funnel").select("stage, calls, pct_of_arrived").order("position")),
    "stages",
  );
  return html`
    <${Card} id="stages" title=${t("How far callers came, 24 hours", "Parcours, 24 heures")}>
      <${Loaded} of=${live}>${(rows) =>
        html`<${Bars} rows=${
          rows.map(({ stage, calls, pct_of_arrived }) => ({
            name: STAGES()[stage] ?? stage,
            value: calls,
            percent: pct_of_arrived ?? 0,
          }))
        } />`}<//>
    <//>
  `;
}

const DAYS = () => [
  [t("Day", "Jour"), (day) => day.day],
  [t("Calls", "Appels"), ({ rows }) => sum(rows, "total_calls"), true],
  [t("Served", "Servis"), ({ rows }) => sum(rows, "completed_calls"), true],
  [
    t("Served, %", "Servis, %"),
    ({ rows }) =>
      percent(
        sum(rows, "completed_calls"),
        sum(rows, "completed_calls") + sum(rows, "failed_calls"),
      ),
    true,
  ],
  [t("Not served", "Non servis"), ({ rows }) => sum(rows, "failed_calls"), true],
  [
    t("Chose voicemail", "Ont choisi la messagerie"),
    ({ rows }) => sum(rows, "voicemail_calls"),
    true,
  ],
];

function Days({ rows }) {
  const day = new Intl.DateTimeFormat("en-CA", { timeZone: me.zone, dateStyle: "short" });
  const days = Object.entries(Object.groupBy(rows, ({ hour }) => day.format(new Date(hour)))).map((
    [day, rows],
  ) => ({ day, rows }));
  return html`
    <${Card} id="days" title=${t(
      "Days",
      "Jours",
    )} actions=${html`<button type="button" onClick=${() =>
      saveCsv("days.csv", DAYS(), days)}>CSV</button>`}>
      <${Table} id="days" columns=${DAYS()} rows=${days.toReversed()} />
      <//>
  `;
}

function Busiest({ rows }) {
  const hourOf = new Intl.DateTimeFormat("en-CA", {
    timeZone: me.zone,
    hour: "2-digit",
    hourCycle: "h23",
  });
  const hours = Array.from({ length: 24 }, (_, hour) => ({
    hour,
    calls: sum(
      rows.filter((row) => Number(hourOf.format(new Date(row.hour))) === hour),
      "total_calls",
    ),
  }));
  const most = Math.max(1, ...hours.map(({ calls }) => calls));
  const top = hours.find(({ calls }) => calls === most);
  return html`
    <${Card} id="busiest" title=${t("Busiest hours", "Heures de pointe")}>
      <p>${top &&
        t(
          `Most calls come from ${top.hour}:00 to ${top.hour + 1}:00: ${number(most)} in 7 days.`,
          `Le plus d’appels : de ${top.hour} h à ${top.hour + 1} h, ${number(most)} en 7 jours.`,
        )}</p>
      <svg class="bars" viewBox="0 0 480 96" role="img" aria-label=${hours.filter(({ calls }) =>
        calls > 0
      ).map(({ hour, calls }) => `${hour}:00 ${calls}`).join(", ")}>
          ${hours.map(({ hour, calls }) =>
            html`<g key=${hour}><rect x=${hour * 20 + 2} y=${
              76 - 70 * calls / most
            } width="16" height=${70 * calls / most} rx="2" />
        ${
              hour % 3 === 0 &&
              html`<text x=${hour * 20 + 10} y="92" text-anchor="middle">${hour}</text>`
            }</g>`
          )}
        </svg>
      <//>
  `;
}

const PEOPLE = () => [
  [t("Person", "Personne"), (row) => row.name],
  [t("Rung", "Appels"), (row) => row.rung, true],
  [t("Accepted", "Acceptés"), (row) => row.accepted, true],
  [t("No answer", "Sans réponse"), (row) => row.no_answer, true],
  [t("Declined", "Refusés"), (row) => row.declined, true],
  [t("Talk", "Conversation"), (row) => minutes(row.talk_sec), true],
];

function perPerson(rows) {
  return Object.values(Object.groupBy(rows, ({ handle, name }) => handle ?? name)).map((own) => ({
    name: own[0].name,
    ...Object.fromEntries(
      ["rung", "accepted", "no_answer", "declined", "talk_sec"].map((key) => [key, sum(own, key)]),
    ),
  })).sort((a, b) => b.rung - a.rung);
}
