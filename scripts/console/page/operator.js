import { hoursChart } from "./chart.js";
import { byId, clockTime, h, minutes, moment, phoneNumber, showList } from "./dom.js";

const OUTCOMES = {
  connected: "Connected",
  voicemail: "Voicemail",
  abandoned: "Abandoned",
  rate_limited: "Refused",
  failed: "Failed",
};

let search = "";
/** The list of calls that was asked for last; an earlier answer that comes late is dropped. */
let asked = 0;

/** Shows everything that the operator's view has. */
export function showSnapshot(snapshot) {
  byId("operator").classList.remove("waiting");
  const { counts } = snapshot;
  showTiles(snapshot);
  showActive(snapshot.active, counts.active);
  showHours(snapshot.hours);
  showVoicemails(snapshot.voicemails, counts.voicemails);
  if (search === "") showCalls(snapshot.calls, snapshot.calls.length);
  else findCalls();
  for (const details of byId("calls").querySelectorAll("details[open]")) {
    fillTimeline(details);
  }
  showHealth(snapshot.health);
  showErrors(snapshot.errors, counts.errors);
  showLimits(snapshot.limits, counts.limits);
  showAlerts(snapshot.alerts);
  showFunnel(snapshot.funnel);
  showJobs(snapshot.jobs);
  showNumbers(snapshot.numbers, counts.numbers);
}

/** Marks a list as incomplete: the page gets the first rows only, the count comes from the database. */
function showMore(list, shown, total, order) {
  byId(`${list}-more`).textContent = total > shown ? `The ${shown} ${order} of ${total}.` : "";
}

// ---- numbers ----------------------------------------------------------------------------------

function showTiles({ hour, day, consent, counts }) {
  const decided = consent.consented_calls + consent.opted_out_calls;
  const agreed = decided === 0 ? null : 100 * consent.consented_calls / decided;
  const tiles = [
    { name: "Calls now", value: String(counts.active), note: `${day.total_calls} in 24 hours` },
    {
      name: "Served, 24 hours",
      value: percent(day.success_rate_pct),
      note: `${day.completed_calls} served, ${day.failed_calls} not`,
      level: level(day),
    },
    {
      name: "Served, last hour",
      value: percent(hour.success_rate_pct),
      note: `${hour.completed_calls} served, ${hour.failed_calls} not`,
      level: level(hour),
    },
    {
      name: "Recording consent",
      value: percent(agreed),
      note: `${consent.consented_calls} agreed, ${consent.opted_out_calls} did not`,
    },
    {
      name: "Average call",
      value: day.avg_call_duration_sec === null ? "–" : minutes(day.avg_call_duration_sec),
      note: "over 24 hours",
    },
    {
      name: "Voicemail waiting",
      value: String(counts.voicemails),
      note: "not handled yet",
    },
  ];
  showList(byId("tiles"), tiles, ({ name }) => name, ({ name, value, note, level }) =>
    h(
      "article",
      { class: "tile", "data-level": level },
      h("h2", {}, name),
      h("p", { class: "value" }, value),
      h("p", { class: "under" }, note),
    ));
}

const percent = (value) => value === null ? "–" : `${Math.round(value)} %`;

/** As in alert_rules: fewer than nine of ten callers served is a fault; with few calls there is no verdict. */
const level = ({ success_rate_pct: rate, completed_calls, failed_calls }) =>
  completed_calls + failed_calls < 20 ? undefined : rate < 90 ? "bad" : "good";

let drawn = "";

function showHours(hours) {
  const json = JSON.stringify([hours, new Date().getHours()]);
  if (json === drawn) return;
  drawn = json;
  byId("hours").replaceChildren(hoursChart(hours));
}

// ---- calls now --------------------------------------------------------------------------------

function showActive(calls, total) {
  byId("active-count").textContent = total || "";
  showMore("active", calls.length, total, "newest");
  byId("active-empty").hidden = calls.length > 0;
  showList(byId("active"), calls, (call) => call.call_sid, (call) =>
    h(
      "li",
      { class: "row" },
      h("span", { class: "dot", "aria-hidden": "true" }),
      h("strong", { class: "number" }, phoneNumber(call.from_e164)),
      h("span", { class: "tag" }, mode(call.mode)),
      h("span", { class: "tag" }, consentWords(call.consent_given)),
      h(
        "span",
        { class: "when", "data-since": call.started_at },
        minutes((Date.now() - Date.parse(call.started_at)) / 1000),
      ),
    ));
  // What scrolls must be reachable by the keyboard; its rows hold nothing to focus.
  const list = byId("active");
  if (list.scrollHeight > list.clientHeight) list.tabIndex = 0;
  else list.removeAttribute("tabindex");
}

setInterval(() => {
  for (const time of document.querySelectorAll("[data-since]")) {
    time.textContent = minutes((Date.now() - Date.parse(time.dataset.since)) / 1000);
  }
}, 1000);

const mode = (name) => name === "menu" ? "in the menu" : name;
const consentWords = (given) =>
  given === null ? "consent open" : given ? "recording agreed" : "no recording";

// ---- voicemail --------------------------------------------------------------------------------

function showVoicemails(voicemails, total) {
  byId("voicemail-count").textContent = total || "";
  showMore("voicemails", voicemails.length, total, "newest");
  byId("voicemails-empty").hidden = voicemails.length > 0;
  showList(
    byId("voicemails"),
    voicemails,
    ({ recording_sid }) => recording_sid,
    (voicemail, before) => {
      const { call_sid, from_e164, created_at, transcript, audio } = voicemail;
      const who = phoneNumber(from_e164);
      // A transcript comes later than its recording, and must not stop the player.
      const playing = before?.querySelector("audio");
      return h(
        "li",
        { class: "message", "data-call": call_sid },
        h(
          "div",
          { class: "row" },
          h("strong", { class: "number grow" }, who),
          h("time", { class: "time", datetime: created_at }, moment(created_at)),
        ),
        transcript
          ? h("blockquote", {}, transcript)
          : h("p", { class: "empty" }, "No transcript yet."),
        audio === null
          ? h("p", { class: "empty" }, "The recording is not on this machine.")
          : playing ?? h("audio", {
            controls: true,
            preload: "metadata",
            src: audio,
            "aria-label": `Voicemail of ${who}`,
          }),
        h(
          "div",
          { class: "choices" },
          h("button", {
            type: "button",
            class: "quiet",
            name: "handled",
            "aria-label": `Mark as handled: the voicemail of ${who}`,
            onclick: () => handle(voicemail, true),
          }, "Mark as handled"),
        ),
      );
    },
  );
}

async function handle(voicemail, handled) {
  const who = phoneNumber(voicemail.from_e164);
  const undo = byId("undo");
  const response = await fetch(`/api/recordings/${voicemail.recording_sid}/handled`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ handled }),
  }).catch(() => undefined);
  if (!response?.ok) {
    undo.replaceChildren(`The voicemail of ${who} could not be changed. `);
    return;
  }
  undo.replaceChildren(
    handled ? `The voicemail of ${who} is handled. ` : `The voicemail of ${who} is open again.`,
    ...(handled
      ? [
        h("button", {
          type: "button",
          class: "link",
          onclick: () => handle(voicemail, false),
        }, "Undo"),
      ]
      : []),
  );
}

// ---- recent calls -----------------------------------------------------------------------------

function showCalls(calls, total) {
  showMore("calls", calls.length, total, "newest");
  const empty = byId("calls-empty");
  empty.hidden = calls.length > 0;
  empty.textContent = search === ""
    ? "No calls yet. Make one in the phone view."
    : `No call from or to a number with “${search}”.`;
  showList(byId("calls"), calls, (call) => call.call_sid, (call, before) => {
    const timeline = before?.querySelector(".timeline") ??
      h("div", { class: "timeline", "data-call": call.call_sid });
    return h(
      "li",
      { "data-call": call.call_sid },
      h(
        "details",
        {
          open: before?.querySelector("details").open,
          ontoggle: ({ currentTarget }) => currentTarget.open && fillTimeline(currentTarget),
        },
        h(
          "summary",
          { class: "row" },
          h("strong", { class: "number" }, phoneNumber(call.from_e164)),
          call.mode !== call.disposition && h("span", { class: "tag" }, mode(call.mode)),
          call.flow && h("span", { class: "tag" }, call.flow),
          h(
            "span",
            { class: `tag ${call.disposition ?? "running"}` },
            OUTCOMES[call.disposition] ?? "On the line",
          ),
          h(
            "span",
            { class: "when" },
            call.duration_sec === null ? null : h("span", {}, minutes(call.duration_sec)),
            h("time", { datetime: call.started_at }, moment(call.started_at)),
          ),
        ),
        timeline,
      ),
    );
  });
}

async function findCalls() {
  const mine = ++asked;
  const query = search;
  const response = await fetch(`/api/calls?search=${encodeURIComponent(query)}`).catch(() => {});
  if (!response?.ok || mine !== asked) return;
  const { calls, total } = await response.json();
  if (mine !== asked) return;
  showCalls(calls, total);
  const words = `${total} ${total === 1 ? "call" : "calls"} found`;
  if (byId("search-result").textContent !== words) byId("search-result").textContent = words;
}

byId("search").addEventListener("input", ({ target }) => {
  search = target.value.trim();
  findCalls();
});
byId("search-form").addEventListener("submit", (event) => event.preventDefault());

async function fillTimeline(details) {
  const timeline = details.querySelector(".timeline");
  // The row was built anew before its event came: the new one, which has the timeline, asks for itself.
  if (timeline === null) return;
  const response = await fetch(`/api/calls/${timeline.dataset.call}`).catch(() => undefined);
  if (!response?.ok) return;
  const text = await response.text();
  if (timeline.dataset.known === String(text.length)) return;
  timeline.dataset.known = String(text.length);
  const { call, events } = JSON.parse(text);
  const facts = [
    ["Called", phoneNumber(call.to_e164)],
    ["Recording", consentWords(call.consent_given)],
    ["Picked up", call.answered_at && clockTime(call.answered_at)],
    ["Person answered", call.connected_at && clockTime(call.connected_at)],
    ["Ended", call.ended_at && clockTime(call.ended_at)],
    ["Transcript", call.transcript],
    ["Voicemail handled", call.handled_at && moment(call.handled_at)],
    ["Call SID", call.call_sid],
  ].filter(([, value]) => value);
  const playing = timeline.querySelector("audio");
  timeline.replaceChildren(
    h("dl", {}, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
    ...(call.audio
      ? [
        playing ?? h("audio", {
          controls: true,
          preload: "metadata",
          src: call.audio,
          "aria-label": "Recording of this call",
        }),
      ]
      : []),
    h("ol", { class: "events" }, events.map((event) => eventItem(event, call.call_sid))),
  );
}

function eventItem({ event, leg_sid, status, occurred_at, meta }, callSid) {
  const details = Object.entries(meta);
  return h(
    "li",
    {},
    h("time", { class: "time", datetime: occurred_at }, clockTime(occurred_at)),
    h("strong", {}, event.replaceAll("_", " ")),
    status && h("span", { class: "tag" }, status),
    leg_sid !== callSid && h("span", { class: "tag" }, "dialled leg"),
    details.length > 0 && h(
      "details",
      { class: "meta" },
      h("summary", {}, "details"),
      h("pre", { tabindex: "0" }, JSON.stringify(meta, null, 2)),
    ),
  );
}

// ---- the line itself --------------------------------------------------------------------------

function showHealth(health) {
  showList(byId("health"), Object.entries(health), ([name]) => name, ([name, status]) =>
    h(
      "li",
      { class: "chip", "data-level": status === "healthy" ? "good" : "bad" },
      name === "env" ? "settings" : name.replaceAll("_", " "),
      h("span", { class: "under" }, status),
    ));
}

function showErrors(errors, total) {
  showMore("errors", errors.length, total, "newest");
  byId("errors-empty").hidden = errors.length > 0;
  showList(
    byId("errors"),
    errors,
    (error) => `${error.created_at} ${error.event_type}`,
    (error) =>
      h(
        "li",
        { class: "row" },
        h("strong", {}, error.event_type.replaceAll("_", " ")),
        h("span", { class: "tag failed" }, error.severity),
        h("time", { class: "when", datetime: error.created_at }, moment(error.created_at)),
        h("span", { class: "under line" }, facts(error.event_data)),
      ),
  );
}

/** `reason: no such domain, attempts: 5` of an object. */
function facts(data) {
  return Object.entries(data ?? {}).map(([name, value]) =>
    `${name.replaceAll("_", " ")}: ${typeof value === "string" ? value : JSON.stringify(value)}`
  ).join(", ");
}

function showLimits(limits, total) {
  showMore("limits", limits.length, total, "latest");
  byId("limits-empty").hidden = limits.length > 0;
  const key = (limit) => `${limit.endpoint} ${limit.identifier_type} ${limit.identifier}`;
  showList(byId("limits"), limits, key, (limit) =>
    h(
      "li",
      { class: "row" },
      h("strong", { class: "number" }, phoneNumber(limit.identifier)),
      h("span", { class: "tag failed" }, `${limit.violation_count} refused`),
      h("time", { class: "when", datetime: limit.last_violation }, moment(limit.last_violation)),
      h(
        "span",
        { class: "under line" },
        `at ${limit.endpoint}, counted by ${limit.identifier_type}`,
      ),
    ));
}

function showAlerts(alerts) {
  const firing = alerts ?? [];
  const isCritical = ({ severity }) => severity === "critical";
  byId("alerts-card").hidden = firing.length === 0;
  byId("alerts-card").dataset.level = firing.some(isCritical) ? "bad" : "warn";
  byId("alerts-count").textContent = firing.length || "";
  byId("alerts-count").dataset.level = firing.some(isCritical) ? "bad" : "warn";
  showList(byId("alerts"), firing, ({ alert }) => alert, (alert) =>
    h(
      "li",
      { class: "alert" },
      h(
        "div",
        { class: "row" },
        h("strong", {}, alert.summary),
        h(
          "span",
          { class: `tag ${isCritical(alert) ? "failed" : "abandoned"}` },
          alert.severity,
        ),
      ),
      h("p", {}, alert.measured),
      h(
        "p",
        { class: "under" },
        `${alert.action} `,
        h("a", { href: `/runbook/${alert.alert}` }, "Runbook"),
      ),
    ));
}

function showFunnel(funnel) {
  byId("funnel-card").hidden = funnel === null;
  showList(
    byId("funnel"),
    funnel ?? [],
    ({ stage }) => stage,
    ({ stage, calls, pct_of_arrived }) =>
      h(
        "li",
        { class: "stage", "data-stage": stage },
        h("span", {}, stage.replaceAll("_", " ")),
        h(
          "svg",
          { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
          h("rect", { class: "track", width: 100, height: 8 }),
          h("rect", { class: "reach", width: pct_of_arrived ?? 0, height: 8 }),
        ),
        h("strong", {}, String(calls)),
      ),
  );
}

function showJobs(jobs) {
  byId("jobs-card").hidden = jobs === null;
  byId("jobs-empty").hidden = jobs?.length > 0;
  const key = ({ kind, state }) => `${kind} ${state}`;
  showList(byId("jobs"), jobs ?? [], key, ({ kind, state, jobs: count }) =>
    h(
      "li",
      { class: "row" },
      h("strong", { class: "grow" }, kind.replaceAll("_", " ")),
      h("span", { class: `tag ${state === "dead" ? "failed" : ""}` }, `${count} ${state}`),
    ));
}

function showNumbers(numbers, total) {
  showMore("numbers", numbers.length, total, "newest");
  byId("numbers-empty").hidden = numbers.length > 0;
  showList(byId("numbers"), numbers, ({ e164_number }) => e164_number, (number) =>
    h(
      "li",
      { class: "row" },
      h("strong", { class: "number" }, phoneNumber(number.e164_number)),
      h("span", { class: "under grow" }, number.business_name),
      h("span", { class: "tag" }, `${number.calls_last_24h} calls`),
    ));
}
