/** How the lines answer: draw, edit by forms, check as one types, try, publish with a note, open or close by hand. */
import { db, may, me } from "../session.js";
import { ask, call, Failure, useLive } from "../data.js";
import { minutes, phone, t } from "../words.js";
import {
  act,
  Card,
  Do,
  Form,
  go,
  html,
  Loaded,
  Page,
  Rows,
  Time,
  useEffect,
  useRef,
  useState,
} from "../parts.js";
import { e164 } from "./people.js";
import { Agents, Calendars, Groups, Issues, StepForm, Whole, Words } from "./flow_forms.js";
import { Hours } from "./flow_hours.js";
import { FlowMap } from "./flow_map.js";
import { freeName, TYPES } from "./flow_spec.js";
import { Try } from "./flow_try.js";
import { definitionOf, Versions } from "./flow_versions.js";
import { Funnel } from "./funnel.js";

/** What a first flow is: a greeting, a telephone, a message. */
const FIRST = () => ({
  schema: 1,
  zone: me.zone,
  languages: ["en-US"],
  start: "hello",
  prompts: {
    hello: { "en-US": "Thank you for calling. To reach us, press 1. To leave a message, press 9." },
    leave: { "en-US": "Please leave a message after the tone." },
    bye: { "en-US": "Goodbye." },
  },
  nodes: {
    hello: {
      type: "menu",
      prompt: "hello",
      options: [{ key: "1", next: "desk" }, { key: "9", next: "note" }],
      tries: 2,
      otherwise: "note",
    },
    desk: { type: "ring", to: "+15877428885", mode: "desk", answered: "bye", unanswered: "note" },
    note: { type: "voicemail", prompt: "leave", mode: "voicemail", next: "bye" },
    bye: { type: "end", prompt: "bye" },
  },
});

export default function Flows({ path: [name] }) {
  return name ? html`<${Flow} key=${name} name=${name} />` : html`<${List} />`;
}

function List() {
  const live = useLive(async () => {
    const [flows, pointers, lines] = await Promise.all([
      ask(db.from("call_flows").select("id, name, drafted_at").order("name")),
      ask(db.from("call_flow_pointers").select("flow_id, version, moved_at")),
      ask(db.from("lines").select("flow_id, line").order("line")),
    ]);
    return flows.map((flow) => ({
      ...flow,
      ...pointers.find(({ flow_id }) => flow_id === flow.id),
      lines: lines.filter(({ flow_id }) => flow_id === flow.id).map(({ line }) => line),
    })).filter(({ version, drafted_at }) => version || drafted_at);
  }, "flows");
  return html`
    <${Page} title=${t("Flows", "Scénarios")}>
      <${Rows} of=${live} empty=${t(
        "No flow yet: callers hear the menu of the settings. Make one to change what they hear.",
        "Aucun scénario : les appelants entendent le menu par défaut. Créez-en un pour changer ce qu’ils entendent.",
      )} item=${(row) =>
        html`<li key=${row.id}><a class="grow" href=${`#/flows/${
          encodeURIComponent(row.name)
        }`}>${row.name}</a>
    ${row.drafted_at && html`<span class="tag warn">${t("draft", "brouillon")}</span>`}
    ${
          row.version &&
          html`<span class="tag">${
            t("version", "version")
          } ${row.version}</span> <small><${Time} at=${row.moved_at} /></small>`
        }
    <small>${row.lines.map(phone).join(", ") || t("no line", "aucune ligne")}</small></li>`} />
    <//>
      ${may("admin") && html`
        <${Card} id="new" title=${t("New flow", "Nouveau scénario")}>
          <${Form} class="inline" label=${t("New flow", "Nouveau scénario")} button=${t(
            "Begin",
            "Commencer",
          )} submit=${({ name }) => go(`flows/${encodeURIComponent(name.trim())}`)}>
              <label>${t(
                "Name",
                "Nom",
              )}<input name="name" required maxlength="64" pattern=".*\\S.*" autocomplete="off" /></label><//>
          <//>
      `}
  `;
}

function Flow({ name }) {
  const live = useLive(async () => {
    const [flow] = await ask(
      db.from("call_flows").select("id, name, drafted_by, drafted_at").eq("name", name),
    );
    if (!flow) return { versions: [], lines: [], overrides: [] };
    const [versions, [pointer], lines, overrides] = await Promise.all([
      ask(
        db.from("call_flow_versions").select("id, version, note, published_by, published_at").eq(
          "flow_id",
          flow.id,
        ).order("version", { ascending: false }).limit(100),
      ),
      ask(db.from("call_flow_pointers").select("version").eq("flow_id", flow.id)),
      ask(db.from("lines").select("line").eq("flow_id", flow.id).order("line")),
      ask(db.from("calendar_overrides").select("calendar, state, until").eq("flow_id", flow.id)),
    ]);
    return {
      flow,
      versions,
      current: pointer?.version,
      lines: lines.map(({ line }) => line),
      overrides,
    };
  }, name);
  return html`
    <h1>${name}</h1>
    <${Loaded} of=${live}>${(data) =>
      html`<${Editor} name=${name} ...${data} reload=${live.reload} />`}<//>
  `;
}

const shown = (definition) => JSON.stringify(definition, null, 2);
/** Whether two definitions say the same; the database keeps keys in an order of its own. */
const same = (a, b) => sorted(a) === sorted(b);
const sorted = (value) =>
  JSON.stringify(
    value,
    (_, each) =>
      each && typeof each === "object" && !Array.isArray(each)
        ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => a < b ? -1 : 1))
        : each,
  );

/** What is published or kept as a draft, what is edited, and how it is kept: `{text, setText, begun, …}`. */
function useDraft({ name, flow, current, parsed, text, setText, reload }) {
  /** The definition that the edit began with, and its version. */
  const [begun, setBegun] = useState();
  /** What the server has of this edit: `{definition, at}`; `at` undefined: nothing. */
  const [kept, setKept] = useState();
  const [fault, setFault] = useState();
  const save = async (definition) => {
    const { drafted_at } = await call("call-flows/draft", {
      body: { name, org_id: me.org_id, definition },
    });
    setKept({ definition: definition ?? undefined, at: drafted_at ?? undefined });
    await reload();
  };
  const fetchAll = async () => {
    const [published, [draft]] = await Promise.all([
      current ? definitionOf(flow, current) : undefined,
      ask(db.from("call_flows").select("draft, drafted_at").eq("id", flow.id)),
    ]);
    setBegun({ version: current, definition: published });
    setKept({ definition: draft?.draft ?? published, at: draft?.drafted_at ?? undefined });
    setText(shown(draft?.draft ?? published ?? FIRST()));
  };
  useEffect(() => {
    if (flow) {
      fetchAll().catch((error) => setFault(error.message));
      return;
    }
    const first = FIRST();
    setBegun({});
    setKept({ definition: first });
    setText(shown(first));
  }, []);
  // Another person's work, begun since this was fetched.
  const foreign = flow?.drafted_at && kept !== undefined && flow.drafted_by !== me.user.id &&
    Date.parse(flow.drafted_at) !== Date.parse(kept.at ?? 0);
  const changed = parsed !== undefined && kept !== undefined && !same(parsed, kept.definition);
  useEffect(() => {
    if (!changed || foreign || !may("admin") || typeof parsed !== "object" || !parsed) return;
    const timer = setTimeout(
      () => save(parsed).then(() => setFault(), ({ message }) => setFault(message)),
      3_000,
    );
    return () => clearTimeout(timer);
  }, [text, foreign]);
  return { begun, setBegun, kept, setKept, save, fault, foreign, changed, fetchAll };
}

function Editor({ name, flow, versions, current, lines, overrides, reload }) {
  /** The text that is edited; undefined until it is there. */
  const [text, setText] = useState();
  const [checked, setChecked] = useState();
  const [chosen, pick] = useState();
  let parsed;
  try {
    parsed = text === undefined ? undefined : JSON.parse(text);
  } catch {
    // Said below.
  }
  const draft = useDraft({ name, flow, current, parsed, text, setText, reload });
  const { begun, setBegun, kept, setKept, save, fault, foreign, changed } = draft;
  const members = useLive(
    () => ask(db.from("members").select("user_id, name, email")),
    "members",
    60_000,
  );
  const others = useLive(() => ask(db.from("call_flows").select("name").order("name")), "names");
  useEffect(() => {
    if (text === undefined || !may("admin")) return;
    if (parsed === undefined) {
      return setChecked({
        issues: [{ path: "", message: t("this is not JSON", "ce n’est pas du JSON") }],
      });
    }
    let over = false;
    const timer = setTimeout(async () => {
      try {
        const answer = await call("call-flows/check", {
          body: { definition: parsed, org_id: me.org_id },
        });
        if (!over) setChecked(answer);
      } catch (error) {
        if (!over && error instanceof Failure) {
          setChecked({
            issues: error.issues,
            error: error.issues.length ? undefined : error.message,
          });
        }
      }
    }, 500);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [text]);
  if (text === undefined) {
    return fault
      ? html`<p class="note bad" role="alert">${fault}</p>`
      : html`<p class="note" aria-busy="true">${t("Loading…", "Chargement…")}</p>`;
  }
  const write = (definition) => setText(shown(definition));
  const whole = parsed !== null && typeof parsed === "object" && parsed.nodes &&
    typeof parsed.nodes === "object";
  const dirty = !begun.definition || parsed === undefined || !same(parsed, begun.definition);
  const stale = begun.version && current !== begun.version;
  const step = whole && Object.hasOwn(parsed.nodes, chosen) ? chosen : undefined;
  const issues = checked?.issues ?? [];
  const of = (id) => issues.filter(({ path }) => `${path}.`.startsWith(`nodes.${id}.`));
  const by = (who) => {
    const member = members.data?.find(({ user_id }) => user_id === who);
    return member?.name ?? member?.email ??
      (who === "operator" ? t("the operator", "l’exploitant") : who);
  };
  const discard = () => {
    const before = parsed;
    return act(
      async () => {
        await save(null);
        const back = begun.definition ?? FIRST();
        setKept({ definition: back });
        write(back);
      },
      t("The draft is discarded.", "Le brouillon est abandonné."),
      async () => {
        await save(before);
        write(before);
      },
    );
  };
  return html`
    ${stale &&
      html`<p class="note bad" role="alert">${
        t(
          `Version ${current} was published meanwhile: what you edit began with ${begun.version}.`,
          `La version ${current} a été publiée entre-temps : vous modifiez la ${begun.version}.`,
        )
      }</p>`}
    ${foreign &&
      html`<div class="note bad row" role="alert">${
        t(
          `${by(flow.drafted_by)} works on this flow too. Your changes are not kept as a draft.`,
          `${by(flow.drafted_by)} modifie aussi ce scénario. Vos changements ne sont pas gardés.`,
        )
      } <${Do} act=${() => act(draft.fetchAll)}>${t("Take theirs", "Prendre les leurs")}<//>
        <${Do} act=${() => act(() => save(parsed))}>${
        t("Keep mine", "Garder les miens")
      }<//></div>`}
    <${Card} id="map" title=${t(
      "What callers go through",
      "Parcours des appelants",
    )} actions=${may("admin") && whole && html`<div class="row">
      <${DraftState} ...${{ fault, changed, kept, dirty, discard }} />
      <button type="button" onClick=${() => {
      const id = freeName("step", parsed.nodes);
      write({ ...parsed, nodes: { ...parsed.nodes, [id]: { type: "end" } } });
      pick(id);
    }}>${t("Add a step", "Ajouter une étape")}</button></div>`}>
      ${whole
        ? html`<${FlowMap} flow=${parsed} pick=${pick} chosen=${step} faulty=${new Set(
          Object.keys(parsed.nodes).filter((id) => of(id).length > 0),
        )} />
        ${
          !may("admin") ? null : step
            ? html`
              <${StepForm} key=${step} flow=${parsed} id=${step} write=${write} pick=${pick}
                issues=${of(step)} flows=${(others.data ?? []).map((each) => each.name).filter((
                  each,
                ) => each !== name)} />
            `
            : html`<p class="note">${
              t(
                "Choose a step in the map to change it.",
                "Choisissez une étape dans la carte pour la modifier.",
              )
            }</p>`
        }`
        : html`<p class="note">${
          t("Drawn once it is JSON.", "Dessiné quand le JSON est valide.")
        }</p>`}
      ${may("admin") &&
        html`<div role="status">${
          checked === undefined
            ? html`<p class="note">${t("Checking…", "Vérification…")}</p>`
            : checked.ok
            ? html`<p>${
              t(
                `Sound. The longest call takes ${minutes(checked.longest_seconds)}, talk apart.`,
                `Valide. L’appel le plus long dure ${
                  minutes(checked.longest_seconds)
                }, hors conversation.`,
              )
            }</p>`
            : html`<p class="bad">${checked.error ?? t("These are at fault:", "À corriger :")}</p>`
        }${
          checked?.ok
            ? html`<ul>${
              (checked.warnings ?? []).slice(0, 30).map(({ path, message }) =>
                html`<li key=${path + message} class="small"><code>${path}</code> ${message}</li>`
              )
            }</ul>`
            : html`<${Issues} of=${issues} />`
        }</div>`}
    <//>
    <div class="columns">
      ${whole && html`<${Words} flow=${parsed} write=${write} can=${may("admin")} />`}
      <div class="stack">
        ${may("admin") && html`
          <${Card} id="publish" title=${t("Publish", "Publier")}>
            <${Form} label=${t("Publish", "Publier")} button=${t(
              "Publish",
              "Publier",
            )} submit=${async ({ note, numbers }) => {
              if (!parsed) throw new Failure(t("This is not JSON.", "Ce n’est pas du JSON."));
              const asked = numbers.split(/[,;\n]/).map((each) => each.trim()).filter(Boolean).map(
                e164,
              );
              const answer = await call("call-flows/publish", {
                body: {
                  definition: parsed,
                  name,
                  org_id: me.org_id,
                  note: note.trim() || null,
                  lines: asked,
                },
              }).catch((error) => {
                if (error.issues?.length) setChecked({ issues: error.issues });
                throw error;
              });
              setBegun({ version: answer.version, definition: parsed });
              if (kept.at) await save(null);
              setKept({ definition: parsed });
              await reload();
              await act(
                async () => {},
                t(
                  `Version ${answer.version} answers from the next call on.`,
                  `La version ${answer.version} répond dès le prochain appel.`,
                ),
              );
            }}>
                    <label class="wide">${t(
                      "Note: what changed",
                      "Note : le changement",
                    )}<input name="note" maxlength="500" autocomplete="off" class="wide" /></label>
                    <label class="wide">${t(
                      "Lines that answer by it",
                      "Lignes qui l’utilisent",
                    )}<input name="numbers" defaultValue=${lines.join(
                      ", ",
                    )} placeholder="+1 587 405 9000" autocomplete="off" class="wide" /></label>
                    ${dirty &&
                      html`<p class="small">${t("Not published yet.", "Pas encore publié.")}</p>`}
                  <//>
                <//>
                <${Try} definition=${parsed} ok=${checked?.ok} />
        `}
        ${current && html`
          <${Hours} name=${name} calendars=${Object.keys(
            begun.definition?.calendars ?? {},
          )} overrides=${overrides} reload=${reload} />
          <${Funnel} flow=${name} version=${current} start=${parsed?.start} />
          <${Versions} name=${name} flow=${flow} versions=${versions} current=${current}
            by=${by} text=${text} reload=${reload} take=${setText} />
        `}
      </div>
      <div class="stack">
        ${may("admin") && whole && html`
          <${Calendars} flow=${parsed} write=${write} />
          <${Groups} flow=${parsed} write=${write} />
          <${Agents} flow=${parsed} write=${write} />
          <${Whole} flow=${parsed} write=${write} />
        `}
        <${Json} text=${text} set=${setText} />
      </div>
    </div>
  `;
}

/** Whether the work is kept, and the way back. */
function DraftState({ fault, changed, kept, dirty, discard }) {
  if (fault) return html`<span class="bad" role="alert">${fault}</span>`;
  if (!dirty && !kept.at) return null;
  return html`<small role="status">${
    changed
      ? t("Not kept yet…", "Pas encore gardé…")
      : kept.at
      ? html`${t("Draft kept", "Brouillon gardé")} <${Time} at=${kept.at} />`
      : ""
  }</small>
    ${
    kept.at &&
    html`<${Do} act=${discard}>${t("Discard the draft", "Abandonner le brouillon")}<//>`
  }`;
}

/** The whole as JSON; where the cursor stands, what belongs there. */
function Json({ text, set }) {
  const [hint, setHint] = useState();
  const area = useRef();
  const look = () => {
    const before = text.slice(0, area.current.selectionStart);
    const [, id] = before.slice(before.lastIndexOf('"nodes"')).match(/^[^]*\n {4}"(\w+)": \{/) ??
      [];
    const at = id === undefined ? -1 : before.lastIndexOf(`"${id}": {`);
    const [, type] = /"type": "(\w+)"/.exec(text.slice(at, text.indexOf("\n    }", at))) ?? [];
    setHint(
      before.includes('"nodes"') && at >= 0
        ? `${id}: type, ${(TYPES[type] ?? Object.keys(TYPES)).join(", ")}`
        : "schema, zone, languages, start, prompts, nodes, business?, voices?, calendars?, groups?, agents?, operator?, missed_call?, tests?",
    );
  };
  return html`
    <details class="card">
      <summary>JSON</summary>
      <div class="stack">
        <textarea ref=${area} class="code" rows="22" spellcheck=${false} readonly=${!may(
          "admin",
        )} aria-label=${t("The flow as JSON", "Le scénario en JSON")} value=${text} onKeyUp=${look}
          onClick=${look} onFocus=${look} onInput=${(event) => set(event.target.value)}></textarea>
        ${hint &&
          html`<p class="small" role="status">${
            t("Here belong", "Ici vont")
          } <code>${hint}</code> ${t("(? may be left out)", "(? est facultatif)")}</p>`}
      </div>
    </details>
  `;
}
