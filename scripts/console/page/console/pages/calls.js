/** The calls, newest first. */
import { db } from "../session.js";
import { ask, useLive, useNames } from "../data.js";
import { minutes, outcome, t } from "../words.js";
import { html, Page, Rows, Time, useMore } from "../parts.js";
import { Call } from "./call.js";

/** `#/calls/<sid>/<second>`: the recordings begin at that second. */
export default function Calls({ path: [sid, second] }) {
  return sid ? html`<${Call} key=${sid} sid=${sid} second=${second} />` : html`<${List} />`;
}

function List() {
  const [limit, more] = useMore(40);
  const live = useLive(
    async () => {
      const rows = await ask(
        db.from("call_logs").select(
          "call_sid, party, mode, status, disposition, started_at, duration_sec",
        ).order("started_at", { ascending: false }).limit(limit + 1),
      );
      return { rows: rows.slice(0, limit), total: rows.length };
    },
    "calls",
    undefined,
    limit,
  );
  const who = useNames((live.data?.rows ?? []).map(({ party }) => party));
  return html`
    <${Page} title=${t("Calls", "Appels")}>
      <${Rows} of=${live} more=${more} empty=${t(
        "No call yet. Ring the line: it appears here.",
        "Aucun appel. Appelez la ligne : l’appel apparaît ici.",
      )} item=${(row) =>
        html`
          <li key=${row.call_sid}>
            <a class="grow" href=${`#/calls/${row.call_sid}`}>${who(row.party)}</a>
            <span class=${`tag ${
              { connected: "good", failed: "bad", abandoned: "warn" }[row.disposition] ?? ""
            }`}>${outcome(row)}</span>
            <small>${row.mode} ${row.duration_sec !== null && minutes(row.duration_sec)}</small>
            <small><${Time} at=${row.started_at} /></small>
          </li>
        `} />
      <//>
  `;
}
