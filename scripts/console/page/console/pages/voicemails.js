/** Messages of callers: listen, take, assign, finish. */
import { db, may } from "../session.js";
import { ALL, ask, askSome, blobOf, useLive, useNames } from "../data.js";
import { count, minutes, t } from "../words.js";
import {
  act,
  Do,
  html,
  keepFocus,
  Page,
  Rows,
  Time,
  useEffect,
  useMore,
  useState,
} from "../parts.js";

const TABS = () => [
  ["new", t("New", "Nouveaux")],
  ["taken", t("Taken", "Pris")],
  ["done", t("Done", "Faits")],
];

/** Fetches the recording when it is asked for, and plays it; `at`: from this second. */
export function Player({ call_sid, recording_sid, label, at }) {
  const [{ url, error }, set] = useState({});
  useEffect(() => () => url && URL.revokeObjectURL(url), [url]);
  const fetchIt = async () => {
    try {
      set({ url: await blobOf(`voicemail-audio?call=${call_sid}&recording=${recording_sid}`) });
    } catch (error) {
      set({
        error: error.status === 404
          ? t("This recording is no longer there.", "Cet enregistrement n’existe plus.")
          : error.message,
      });
    }
  };
  useEffect(() => {
    if (at !== undefined && !url) fetchIt();
  }, [at]);
  if (error) return html`<span class="note bad" role="alert">${error}</span>`;
  const begin = (element) => {
    if (element === null) return;
    // It stands where the pressed button was.
    if (document.activeElement === document.body) element.focus();
    if (at !== undefined) element.currentTime = at;
    element.play().catch(() => {});
  };
  return url
    ? html`<audio ref=${begin} key=${`${url} ${at}`} src=${url} controls aria-label=${label}></audio>`
    : html`<${Do} act=${fetchIt} aria-label=${`${t("Play", "Écouter")}: ${label}`}>▶ ${
      t("Play", "Écouter")
    }<//>`;
}

/** What one does with a voicemail; `after` looks again. */
export function Steps({ row, people, after }) {
  const step = (state, assigned_to = null) =>
    ask(
      db.from("voicemail_steps").insert({
        call_sid: row.call_sid,
        recording_sid: row.recording_sid,
        state,
        assigned_to,
      }),
    ).then(after);
  const back = () => step(row.state, row.assigned_to);
  const whose = people?.find(({ id }) => id === row.assigned_to)?.name;
  if (!may("agent")) return html`<small>${whose}</small>`;
  return html`<div class="row">
    ${
    people?.length > 0 && row.state !== "done" &&
    html`
      <label
        class="row small">${t("For", "Pour")} <select aria-label=${t(
          "Assign to",
          "Attribuer à",
        )} value=${row.assigned_to ?? ""} onChange=${(event) => {
          const id = event.target.value || null;
          keepFocus(
            event.target,
            () => act(() => step(id ? "taken" : "new", id), t("Assigned.", "Attribué."), back),
          );
        }}>
            <option value="">${t("nobody", "personne")}</option>
            ${people.map(({ id, name }) => html`<option key=${id} value=${id}>${name}</option>`)}
          </select></label>
    `
  }
    ${
    row.state === "new" && html`<${Do} act=${() =>
      act(() => step("taken"), t("Taken.", "Pris."), back)}>${t("Take", "Prendre")}<//>`
  }
    ${
    row.state !== "done"
      ? html`<${Do} act=${() =>
        act(
          () => step("done", row.assigned_to),
          t("The voicemail is done.", "Message traité."),
          back,
        )}>${t("Done", "Fait")}<//>`
      : html`<${Do} act=${() =>
        act(
          () => step("new"),
          t("The voicemail is new again.", "Message de nouveau à traiter."),
          back,
        )}>${t("Open again", "Rouvrir")}<//>`
  }
  </div>`;
}

export default function Voicemails({ path: [tab = "new"] }) {
  const [limit, more] = useMore(30);
  const live = useLive(
    async () => {
      const some = (...count) =>
        db.from("voicemails").select(
          "call_sid, recording_sid, from_e164, line, recorded_at, duration_sec, transcript, state, assigned_to, changed_at",
          ...count,
        ).order("recorded_at", { ascending: false });
      if (tab !== "done") {
        return await askSome(some(ALL).eq("state", tab).is("handled_at", null).limit(limit));
      }
      // Those of years, which would take long to count.
      const rows = await ask(some().not("handled_at", "is", null).limit(limit + 1));
      return { rows: rows.slice(0, limit), total: rows.length };
    },
    tab,
    undefined,
    limit,
  );
  const people = useLive(
    () => ask(db.from("people").select("id, name").order("name")),
    "people",
    30_000,
  );
  const who = useNames((live.data?.rows ?? []).map((row) => row.from_e164));
  return html`
    <${Page} title=${t("Voicemails", "Messages")}>
      <nav class="row" aria-label=${t("State", "État")}>${TABS().map(([id, words]) =>
        html`<a key=${id} class="button" href=${`#/voicemails/${id}`} aria-current=${
          id === tab ? "page" : null
        }>${words}</a>`
      )}</nav>
      <${Rows} of=${live} more=${more} empty=${tab === "new"
        ? t(
          "No new voicemail. A caller who leaves a message appears here.",
          "Aucun nouveau message. Les messages laissés apparaissent ici.",
        )
        : t("None.", "Aucun.")} counted=${tab !== "done" &&
        ((total) => count(total, t("voicemail", "message"), t("voicemails", "messages")))}
        item=${(row) =>
          html`
            <li key=${row.recording_sid}>
              <div
                class="grow"><a href=${`#/calls/${row.call_sid}`}>${who(
                  row.from_e164,
                )}</a> <small><${Time} at=${row.recorded_at} />, ${minutes(
                  row.duration_sec,
                )}</small>
                        ${row.transcript &&
                          html`<blockquote>${row.transcript}</blockquote>`}</div>
              <${Player} ...${row} label=${t(
                `voicemail of ${who(row.from_e164)}`,
                `message de ${who(row.from_e164)}`,
              )} />
              <${Steps} row=${row} people=${people.data} after=${live.reload} />
            </li>
          `} />
      <//>
  `;
}
