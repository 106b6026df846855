/** What needs somebody, first what is most urgent; then who is on the line, and who takes calls. */
import { db, may, me } from "../session.js";
import { ALL, ask, askSome, useLive, useNames } from "../data.js";
import { count, minutes, outcome, t } from "../words.js";
import { act, Card, Do, html, Rows, Time, useMore } from "../parts.js";
import { Severity, summaryOf } from "./alerts.js";
import { CallBack } from "./call_back.js";
import { FirstSteps } from "./first_steps.js";

const SOME = 8;

/** A list of which the first are shown, with the database's count; `more` leads to the others: an address, or a button. */
function Needs({ id, title, live, empty, more, item, urgent }) {
  return html`
    <div class=${urgent && live.data?.total > 0 ? "urgent" : ""}>
      <${Card} id=${id} title=${title} n=${live.data?.total}>
        <${Rows} of=${live} empty=${empty} item=${item} more=${typeof more === "string"
          ? html`<p><a href=${more}>${
            t(`All ${live.data?.total}`, `Les ${live.data?.total}`)
          }</a></p>`
          : more} />
        <//>
        </div>
  `;
}

export default function Today() {
  const main = me.org_id === null;
  const [someWaiting, moreWaiting] = useMore(SOME, 40);
  const [someCallbacks, moreCallbacks] = useMore(SOME, 40);
  const [someCalls, moreCalls] = useMore(SOME, 40);
  const alerts = useLive(
    () =>
      main
        ? askSome(
          db.from("alert_episodes").select("alert, severity, opened_at", ALL)
            .is("closed_at", null).order("severity").order("opened_at").limit(SOME),
        )
        : { rows: [], total: 0 },
    "alerts",
  );
  const rules = useLive(
    () => main ? ask(db.from("alert_rules").select("alert, summary")) : [],
    "rules",
    60_000,
  );
  const waiting = useLive(
    () =>
      askSome(
        db.from("queue_now").select(
          "call_sid, from_e164, group_name, queued_at, waited_sec, position",
          ALL,
        )
          .is("taken", false).limit(someWaiting),
      ),
    "waiting",
    undefined,
    someWaiting,
  );
  const callbacks = useLive(
    () =>
      askSome(
        db.from("callbacks_due").select(
          "id, call_sid, group_name, to_e164, promised_at, due_at, tries, max_tries, state, why",
          ALL,
        ).limit(someCallbacks),
      ),
    "callbacks",
    undefined,
    someCallbacks,
  );
  const voicemails = useLive(
    () =>
      askSome(
        db.from("voicemails").select(
          "call_sid, recording_sid, from_e164, recorded_at, duration_sec, transcript",
          ALL,
        ).eq("state", "new").is("handled_at", null).order("recorded_at", { ascending: false })
          .limit(SOME),
      ),
    "voicemails",
  );
  const calls = useLive(
    () =>
      askSome(
        db.from("active_calls").select(
          "call_sid, from_e164, to_e164, mode, status, started_at",
          ALL,
        ).order("started_at", { ascending: false }).limit(someCalls),
      ),
    "calls",
    undefined,
    someCalls,
  );
  const people = useLive(
    () =>
      ask(
        db.from("people").select("id, handle, name, available, dnd_until, verified_at").order(
          "name",
        ).limit(100),
      ),
    "people",
  );

  const who = useNames(
    [waiting, callbacks, voicemails, calls].flatMap(({ data }) => data?.rows ?? []).map((row) =>
      row.group_name && row.to_e164 ? row.to_e164 : row.from_e164
    ),
  );

  const done = (row, state) =>
    ask(
      db.from("voicemail_steps").insert({
        call_sid: row.call_sid,
        recording_sid: row.recording_sid,
        state,
      }),
    ).then(voicemails.reload);
  const dismiss = (row, dismissed) =>
    ask(db.from("callbacks").update({ dismissed }).eq("id", row.id)).then(callbacks.reload);
  const ring = (person, values) =>
    ask(db.from("people").update(values).eq("id", person.id)).then(people.reload);

  return html`
    <h1>${t("Today", "Aujourd’hui")}</h1>
    ${may("admin") && html`<${FirstSteps} />`}
    <div class="columns">
        ${main && html`
          <${Needs} id="alerts" urgent title=${t(
            "Alerts",
            "Alertes",
          )} live=${alerts} more="#/alerts"
            empty=${t("Nothing is wrong.", "Tout va bien.")}
            item=${(row) =>
              html`<li key=${row.alert}><${Severity} of=${row.severity} />
        <a class="grow" href="#/alerts">${summaryOf(row.alert, rules.data)}</a> <small>${
                t("since", "depuis")
              } <${Time} at=${row.opened_at} /></small></li>`} />
        `}
        <${Needs} id="waiting" urgent title=${t(
          "Callers waiting",
          "Appels en attente",
        )} live=${waiting} more=${moreWaiting}
          empty=${t("Nobody is waiting.", "Personne n’attend.")}
          item=${(row) =>
            html`<li key=${row.call_sid}><a class="grow" href=${`#/calls/${row.call_sid}`}>${
              who(row.from_e164)
            }</a>
        <span class="tag">${row.group_name}</span>
        <span>${t("place", "place")} ${row.position}</span> <small>${
              t("since", "depuis")
            } <${Time} at=${row.queued_at} /></small></li>`} />
        <${Needs} id="callbacks" urgent title=${t(
          "Callbacks due",
          "Rappels à faire",
        )} live=${callbacks} more=${moreCallbacks}
          empty=${t("No callback is promised.", "Aucun rappel promis.")}
          item=${(row) =>
            html`<li key=${row.id}><a class="grow" href=${`#/calls/${row.call_sid}`}>${
              who(row.to_e164)
            }</a>
        <span class="tag">${row.group_name}</span>
        ${
              row.state === "failed"
                ? html`<span class="tag bad">${t("failed", "échec")}: ${
                  (row.why ?? "").replaceAll("_", " ")
                }</span>${
                  may("agent") &&
                  html`
                    <${CallBack} call=${row} reload=${callbacks.reload} name=${who(row.to_e164)} />
                    <${Do} aria-label=${t(
                      `Done: ${who(row.to_e164)}`,
                      `Fait : ${who(row.to_e164)}`,
                    )} act=${() =>
                      act(
                        () => dismiss(row, true),
                        t("The callback is off the list.", "Rappel retiré de la liste."),
                        () => dismiss(row, false),
                      )}>${t("Done", "Fait")}<//>
                  `
                }`
                : html`<small>${t("promised", "promis")} <${Time} at=${row.promised_at} />, ${
                  count(row.tries, t("try", "essai"), t("tries", "essais"))
                }</small>`
            }</li>`} />
        <${Needs} id="voicemails" urgent title=${t(
          "New voicemails",
          "Nouveaux messages",
        )} live=${voicemails} more="#/voicemails"
          empty=${t("No new voicemail.", "Aucun nouveau message.")}
          item=${(row) =>
            html`
              <li
                key=${row
                  .recording_sid}><div class="grow"><a href=${`#/calls/${row.call_sid}`}>${who(
                    row.from_e164,
                  )}</a> <small><${Time} at=${row.recorded_at} />, ${minutes(
                    row.duration_sec,
                  )}</small>
                      ${row.transcript && html`<blockquote>${row.transcript}</blockquote>`}</div>
                      ${may("agent") &&
                        html`<${Do} aria-label=${
                          t(`Done: ${who(row.from_e164)}`, `Fait : ${who(row.from_e164)}`)
                        } act=${() =>
                          act(
                            () => done(row, "done"),
                            t("The voicemail is done.", "Message traité."),
                            () => done(row, "new"),
                          )}>${t("Done", "Fait")}<//>`}</li>
            `} />
        <${Needs} id="calls" title=${t(
          "Calls now",
          "Appels en cours",
        )} live=${calls} more=${moreCalls}
          empty=${t("Nobody is on the line.", "Personne en ligne.")}
          item=${(row) =>
            html`<li key=${row.call_sid}><a class="grow" href=${`#/calls/${row.call_sid}`}>${
              who(row.from_e164)
            }</a>
        <span class="tag">${
              outcome(row)
            }</span> <small>${row.mode} <${Time} at=${row.started_at} /></small></li>`} />
        <${Card} id="people" title=${t("People", "Personnes")}>
          <${Rows} of=${people} empty=${t(
            "No people yet. Add those whom calls ring, under People.",
            "Personne encore. Ajoutez les personnes que les appels font sonner.",
          )} item=${(person) => {
            const away = new Date(person.dnd_until) > new Date();
            const on = person.available && !away;
            return html`<li key=${person.id}><span class="grow">${person.name} ${
              !person.verified_at &&
              html`<span class="tag warn">${t("not verified", "non vérifié")}</span>`
            }</span>
        ${
              may("admin")
                ? html`
                  <button type="button" class="switch" role="switch" aria-checked=${on} aria-label=${person
                    .name}
                    onClick=${() =>
                      act(
                        () => ring(person, { available: !on, dnd_until: null }),
                        on
                          ? t(`${person.name} is not rung.`, `${person.name} ne sonne plus.`)
                          : t(`${person.name} is rung.`, `${person.name} sonne.`),
                        () =>
                          ring(person, {
                            available: person.available,
                            dnd_until: person.dnd_until,
                          }),
                      )}>${on
                      ? t("Available", "Disponible")
                      : t("Not available", "Non disponible")}</button>
                `
                : html`<span class=${on ? "tag good" : "tag"}>${
                  on ? t("Available", "Disponible") : t("Not available", "Non disponible")
                }</span>`
            }</li>`;
          }} />
        <//>
      </div>
  `;
}
