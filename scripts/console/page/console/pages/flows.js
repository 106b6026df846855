/** How the lines answer: draw, edit, check as one types, try, publish with a note, compare, roll back, open or close by hand. */
import { db, may, me } from "../session.js";
import { ask, call, Failure, useLive } from "../data.js";
import { minutes, phone, t } from "../words.js";
import {
  act,
  Card,
  Dialog,
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
      ask(db.from("call_flows").select("id, name").order("name")),
      ask(db.from("call_flow_pointers").select("flow_id, version, moved_at")),
      ask(db.from("lines").select("flow_id, line").order("line")),
    ]);
    return flows.map((flow) => ({
      ...flow,
      ...pointers.find(({ flow_id }) => flow_id === flow.id),
      lines: lines.filter(({ flow_id }) => flow_id === flow.id).map(({ line }) => line),
    }));
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
    <span class="tag">${
          t("version", "version")
        } ${row.version}</span> <small><${Time} at=${row.moved_at} /></small>
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

/** Where an edge leads, of every node: `[outcome, target]`. */
function edges(node) {
  const plain = [
    "next",
    "open",
    "closed",
    "unknown",
    "answered",
    "unanswered",
    "otherwise",
    "offer",
    "gave_up",
    "full",
    "refused",
    "message",
    "callback",
    "done",
    "failed",
  ];
  return [
    ...(node.options ?? []).map(({ key, words, next }) => [key ?? [words].flat().join(", "), next]),
    ...(node.cases ?? []).map(({ in: values, next }) => [[values].flat().join(", "), next]),
    ...Object.entries(node.departments ?? {}),
    ...plain.filter((name) => typeof node[name] === "string").map((
      name,
    ) => [name === "next" ? "" : name, node[name]]),
  ].filter(([, target]) => typeof target === "string");
}

const BOX = { width: 168, height: 52, gapX: 72, gapY: 26 };

/** The nodes in columns, by how far each is from the start. */
function Picture({ flow, pick }) {
  const nodes = flow.nodes ?? {};
  const depth = new Map();
  const visit = (id, at) => {
    if (!Object.hasOwn(nodes, id) || (depth.get(id) ?? -1) >= at || at > 200) return;
    depth.set(id, at);
    for (const [, target] of edges(nodes[id])) visit(target, at + 1);
  };
  visit(flow.start, 0);
  for (const id of Object.keys(nodes)) if (!depth.has(id)) depth.set(id, 0);
  const columns = [];
  for (const [id, at] of depth) (columns[at] ??= []).push(id);
  const place = new Map();
  columns.forEach((ids, x) =>
    ids.forEach((id, y) =>
      place.set(id, { x: 8 + x * (BOX.width + BOX.gapX), y: 8 + y * (BOX.height + BOX.gapY) })
    )
  );
  const width = 16 + columns.length * (BOX.width + BOX.gapX) - BOX.gapX;
  const height = 64 + Math.max(...columns.map((ids) => ids?.length ?? 0)) * (BOX.height + BOX.gapY);
  const words = (node) => {
    const prompt = flow.prompts?.[node.prompt];
    const said = prompt && Object.values(prompt)[0];
    return typeof said === "string" ? said : node.group ?? node.to ?? node.calendar ?? "";
  };
  const short = (text, most) => text.length > most ? `${text.slice(0, most - 1)}…` : text;
  return html`
    <div class="scroll map" tabindex="0" role="region" aria-label=${t(
      "Map of the flow",
      "Carte du scénario",
    )}>
      <svg width=${width} height=${height} viewBox=${`0 0 ${width} ${height}`}>
          ${[...place].flatMap(([id, from]) =>
            edges(nodes[id]).filter(([, target]) => place.has(target)).map(
              ([label, target], i, all) => {
                const to = place.get(target);
                const y1 = from.y + (i + 1) * BOX.height / (all.length + 1);
                const [x1, x2, y2] = [from.x + BOX.width, to.x, to.y + BOX.height / 2];
                // Past other nodes: below them.
                const far = x2 - x1 > BOX.gapX ? Math.max(y1, y2) + 40 + (x2 - x1) / 12 : undefined;
                return html`
                  <g key=${`${id} ${i}`}>
                    <path class="edge" d=${`M${x1} ${y1} C${x1 + 40} ${far ?? y1} ${x2 - 40} ${
                      far ?? y2
                    } ${x2} ${y2}`} />
                    <text class="label" x=${x1 + 5} y=${y1 - 3}>${short(label, 11)}</text>
                  </g>
                `;
              },
            )
          )}
          ${[...place].map(([id, { x, y }]) =>
            html`
              <g key=${id} class="node" role="button" tabindex="0"
                onClick=${() => pick(id)} onKeyDown=${(event) =>
                  ["Enter", " "].includes(event.key) && (event.preventDefault(), pick(id))}>
                <rect x=${x} y=${y} width=${BOX.width} height=${BOX
                  .height} rx="9" class=${id === flow.start ? "start" : ""} />
                <text x=${x + 10} y=${y + 21} class="id">${short(id, 18)}</text>
                <text x=${x + 10} y=${y + 40} class="label">${short(
                  `${nodes[id].type} ${words(nodes[id])}`,
                  24,
                )}</text>
              </g>
            `
          )}
        </svg>
    </div>
  `;
}

function Flow({ name }) {
  const live = useLive(async () => {
    const [flow] = await ask(db.from("call_flows").select("id, name").eq("name", name));
    if (!flow) return { versions: [], lines: [] };
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
      html`<${Editor} key=${
        data.flow ? "kept" : "new"
      } name=${name} ...${data} reload=${live.reload} />`}<//>
  `;
}

const definitionOf = async (flow, version) =>
  (await ask(
    db.from("call_flow_versions").select("definition").eq("flow_id", flow.id).eq(
      "version",
      version,
    ),
  ))[0].definition;

function Editor({ name, flow, versions, current, lines, overrides, reload }) {
  /** The text that is edited; undefined until the published one is there. */
  const [text, setText] = useState(flow ? undefined : JSON.stringify(FIRST(), null, 2));
  const [begun, setBegun] = useState();
  const [checked, setChecked] = useState();
  const area = useRef();
  const members = useLive(
    () => ask(db.from("members").select("user_id, name, email")),
    "members",
    60_000,
  );
  useEffect(() => {
    if (flow && text === undefined) {
      definitionOf(flow, current).then(
        (definition) => {
          const shown = JSON.stringify(definition, null, 2);
          setBegun({ version: current, text: shown });
          setText(shown);
        },
        () =>
          setChecked({
            error: t(
              "The flow could not be fetched. Reload the page.",
              "Impossible de charger le scénario. Rechargez la page.",
            ),
          }),
      );
    }
  }, []);
  let parsed;
  try {
    parsed = text === undefined ? undefined : JSON.parse(text);
  } catch {
    // Said below.
  }
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
    return html`<p class="note" aria-busy="true">${
      checked?.error ?? t("Loading…", "Chargement…")
    }</p>`;
  }
  const write = (definition) => setText(JSON.stringify(definition, null, 2));
  const pick = (id) => {
    const at = text.indexOf(`"${id}": {`, text.indexOf('"nodes"'));
    area.current?.focus();
    area.current?.setSelectionRange(at, at + id.length + 2);
    const line = text.slice(0, at).split("\n").length;
    if (area.current) {
      area.current.scrollTop = Math.max(0, line - 4) *
        (area.current.scrollHeight / text.split("\n").length);
    }
  };
  const dirty = begun?.text !== text;
  const stale = begun && current !== begun.version;
  const by = (who) => {
    const member = members.data?.find(({ user_id }) => user_id === who);
    return member?.name ?? member?.email ??
      (who === "operator" ? t("the operator", "l’exploitant") : who);
  };
  return html`
    ${stale &&
      html`<p class="note bad" role="alert">${
        t(
          `Version ${current} was published meanwhile: what you edit began with ${begun.version}.`,
          `La version ${current} a été publiée entre-temps : vous modifiez la ${begun.version}.`,
        )
      }</p>`}
    <${Card} id="map" title=${t("What callers go through", "Parcours des appelants")}>
      ${parsed?.nodes
        ? html`<${Picture} flow=${parsed} pick=${pick} />`
        : html`<p class="note">${
          t("Drawn once it is JSON.", "Dessiné quand le JSON est valide.")
        }</p>`}
    <//>
    <div class="columns">
      ${parsed?.prompts &&
        html`<${Card} id="words" title=${t("What callers hear", "Ce qu’ils entendent")}>
      ${
          Object.entries(parsed.prompts).flatMap(([prompt, languages]) =>
            Object.entries(languages).map(([language, words]) =>
              typeof words === "string" &&
              html`<label key=${`${prompt} ${language}`} class="wide">${prompt} <small>${language}</small>
          <textarea rows="2" lang=${language} readonly=${!may("admin")} value=${words} onInput=${(
                event,
              ) =>
                write({
                  ...parsed,
                  prompts: {
                    ...parsed.prompts,
                    [prompt]: { ...languages, [language]: event.target.value },
                  },
                })}></textarea></label>`
            )
          )
        }
    <//>`}
      <${Card} id="json" title="JSON">
        <textarea ref=${area} class="code" rows="22" spellcheck=${false} readonly=${!may(
          "admin",
        )} aria-label=${t("The flow as JSON", "Le scénario en JSON")} value=${text} onInput=${(
          event,
        ) => setText(event.target.value)}></textarea>
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
              : html`<p class="bad">${
                checked.error ?? t("These are at fault:", "À corriger :")
              }</p>`
          }<ul>${
            [...(checked?.issues ?? []), ...(checked?.warnings ?? [])].slice(0, 30).map((
              { path, message },
            ) =>
              html`<li key=${path + message} class=${
                checked.ok ? "small" : "bad"
              }><code>${path}</code> ${message}</li>`
            )
          }</ul></div>`}
      <//>
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
              setBegun({ version: answer.version, text });
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
        ${flow && html`
          <${Hours} name=${name} calendars=${Object.keys(
            parsed?.calendars ?? {},
          )} overrides=${overrides} reload=${reload} />
          <${Versions} name=${name} flow=${flow} versions=${versions} current=${current}
            by=${by} text=${text} reload=${reload} take=${setText} />
        `}
      </div>
    </div>
  `;
}

/** What a caller would hear, by the interpreter that answers calls; nobody is rung. */
function Try({ definition, ok }) {
  const [tried, setTried] = useState();
  const line = (each) =>
    ({
      hears: () => html`“${each.text}”`,
      presses: () => html`<strong>${t("presses", "appuie sur")} ${each.text}</strong>`,
      says: () => html`<strong>${t("says", "dit")} “${each.text}”</strong>`,
      silence: () => t("is silent", "se tait"),
      rings: () =>
        `${t("rings", "sonne")} ${each.numbers.map(phone).join(", ")}: ${
          {
            answered: t("answered", "répondu"),
            refused: t("not accepted", "non accepté"),
            no_answer: t("nobody answers", "sans réponse"),
          }[each.result]
        }`,
      holds: () => `${t("waits", "attend")} ${minutes(each.seconds)}`,
      message: () => t("leaves a message", "laisse un message"),
      end: () => t("the call ends", "l’appel se termine"),
    })[each.kind]?.() ?? each.kind;
  return html`
    <${Card} id="try" title=${t("Try it", "Essayer")}>
      <${Form} label=${t("Try it", "Essayer")} button=${t("Try", "Essayer")} submit=${async (
        { keys, at, no_answer },
      ) => {
        if (!ok) throw new Failure(t("Mend the faults first.", "Corrigez d’abord les erreurs."));
        const answer = await call("call-flows/check", {
          body: {
            definition,
            org_id: me.org_id,
            caller: {
              keys: keys.split(/[\s,]*/).filter(Boolean),
              ...(at && { at }),
              no_answer: no_answer === "on",
            },
          },
        });
        setTried(answer.tried);
      }}>
          <div class="row"><label>${t(
            "Keys",
            "Touches",
          )}<input name="keys" placeholder="1, 9" pattern="[0-9*#, ]*" autocomplete="off" size="8" /></label>
          <label>${t(
            "Date and time",
            "Date et heure",
          )}<input name="at" type="datetime-local" /></label></div>
          <label class="row"><input type="checkbox" name="no_answer" /> ${t(
            "Nobody answers",
            "Personne ne répond",
          )}</label>
        <//>
        ${tried && html`
          <ol class="list" aria-label=${t("What happens", "Ce qui se passe")}>${tried.happenings
            .map((each, i) => html`<li key=${i}>${line(each)}</li>`)}</ol>
          <p class="small">${minutes(tried.seconds)}. ${tried.path.join(" → ")}</p>
        `}
      <//>
  `;
}

/** "We close early today": wins over the calendar, and always ends. */
function Hours({ name, calendars, overrides, reload }) {
  if (calendars.length === 0) return null;
  const set = (calendar, state, until) =>
    call("call-flows/override", { body: { name, org_id: me.org_id, calendar, state, until } }).then(
      reload,
    );
  return html`
    <${Card} id="hours" title=${t("Open or closed by hand", "Ouvert ou fermé à la main")}>
      <ul class="list">${calendars.map((calendar) => {
        const now = overrides.find((each) =>
          each.calendar === calendar && new Date(each.until) > new Date()
        );
        const until = new Date(Date.now() + 4 * 3_600_000).toISOString();
        const back = () => set(calendar, now?.state ?? null, now?.until);
        return html`<li key=${calendar}><span class="grow">${calendar} ${
          now &&
          html`<span class="tag warn">${
            now.state === "open" ? t("open", "ouvert") : t("closed", "fermé")
          } ${t("until", "jusqu’à")} <${Time} at=${now.until} /></span>`
        }</span>
      ${
          may("admin") && html`${
            ["open", "closed"].map((state) =>
              html`<${Do} key=${state} aria-label=${`${
                state === "open"
                  ? t("Open for 4 h", "Ouvrir 4 h")
                  : t("Close for 4 h", "Fermer 4 h")
              }: ${calendar}`} act=${() =>
                act(
                  () => set(calendar, state, until),
                  state === "open"
                    ? t("Open for 4 hours.", "Ouvert pendant 4 heures.")
                    : t("Closed for 4 hours.", "Fermé pendant 4 heures."),
                  back,
                )}>${
                state === "open"
                  ? t("Open for 4 h", "Ouvrir 4 h")
                  : t("Close for 4 h", "Fermer 4 h")
              }<//>`
            )
          }
        ${
            now &&
            html`<${Do} aria-label=${
              t(`By the calendar: ${calendar}`, `Selon l’horaire : ${calendar}`)
            } act=${() =>
              act(
                () => set(calendar, null, null),
                t("By the calendar again.", "Selon l’horaire."),
                back,
              )}>${t("By the calendar", "Selon l’horaire")}<//>`
          }`
        }</li>`;
      })}</ul>
      <//>
  `;
}

function Versions({ name, flow, versions, current, by, text, reload, take }) {
  const [compared, setCompared] = useState();
  const roll = (version) =>
    call("call-flows/rollback", { body: { name, org_id: me.org_id, version } }).then(reload);
  return html`<${Card} id="versions" title=${t("Versions", "Versions")}>
    <ul class="list">${
    versions.map((row) =>
      html`
        <li key=${row.version}>
          <div class="grow">${row.version} ${row.version === current &&
            html`<span class="tag good">${t("answers", "répond")}</span>`} ${row.note}
                <small>${by(row.published_by)}, <${Time} at=${row.published_at} /></small></div>
          <${Do} aria-label=${t(
            `Compare with version ${row.version}`,
            `Comparer avec la version ${row.version}`,
          )} act=${() =>
            act(async () =>
              setCompared({
                version: row.version,
                text: JSON.stringify(await definitionOf(flow, row.version), null, 2),
              })
            )}>${t("Compare", "Comparer")}<//>
              ${may("admin") && row.version !== current &&
                html`<${Do} aria-label=${
                  t(`Go back to it: version ${row.version}`, `Y revenir : version ${row.version}`)
                } act=${() =>
                  act(
                    () => roll(row.version),
                    t(
                      `Version ${row.version} answers from the next call on.`,
                      `La version ${row.version} répond dès le prochain appel.`,
                    ),
                    () => roll(current),
                  )}>${t("Go back to it", "Y revenir")}<//>`}
            </li>
      `
    )
  }</ul>
    ${
    compared &&
    html`<${Dialog} title=${
      t(
        `From version ${compared.version} to what is edited`,
        `De la version ${compared.version} à ce qui est édité`,
      )
    } close=${() => setCompared()}>
      <${Difference} from=${compared.text} to=${text} />
      ${
      may("admin") && html`<p><button type="button" onClick=${() => {
        take(compared.text);
        setCompared();
      }}>${t("Edit that version", "Modifier cette version")}</button></p>`
    }
    <//>`
  }
  <//>`;
}

/** The lines that differ, with two lines around each. */
function Difference({ from, to }) {
  const [a, b] = [from.split("\n"), to.split("\n")];
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) {
    tail++;
  }
  const [x, y] = [a.slice(head, a.length - tail), b.slice(head, b.length - tail)];
  if (x.length + y.length === 0) return html`<p>${t("No difference.", "Aucune différence.")}</p>`;
  // The longest common subsequence; of very long differences only their outer lines are matched.
  const rows = [];
  if (x.length * y.length > 4_000_000) {
    rows.push(...x.map((line) => ["-", line]), ...y.map((line) => ["+", line]));
  } else {
    const best = Array.from({ length: x.length + 1 }, () => new Uint16Array(y.length + 1));
    for (let i = x.length - 1; i >= 0; i--) {
      for (let j = y.length - 1; j >= 0; j--) {
        best[i][j] = x[i] === y[j]
          ? best[i + 1][j + 1] + 1
          : Math.max(best[i + 1][j], best[i][j + 1]);
      }
    }
    for (let i = 0, j = 0; i < x.length || j < y.length;) {
      if (i < x.length && j < y.length && x[i] === y[j]) rows.push([" ", x[i++], j++]);
      else if (j >= y.length || (i < x.length && best[i + 1][j] >= best[i][j + 1])) {
        rows.push(["-", x[i++]]);
      } else rows.push(["+", y[j++]]);
    }
  }
  const near = (i) => rows.slice(Math.max(0, i - 2), i + 3).some(([sign]) => sign !== " ");
  const shown = [
    ...a.slice(Math.max(0, head - 2), head).map((line) => [" ", line]),
    ...rows.filter((_, i) => near(i)),
    ...a.slice(a.length - tail, a.length - tail + 2).map((line) => [" ", line]),
  ];
  return html`<pre class="diff" tabindex="0" role="region" aria-label=${
    t("Differences", "Différences")
  }>${
    shown.map(([sign, line], i) =>
      html`<span key=${i} class=${
        { "+": "added", "-": "removed" }[sign] ?? ""
      }>${sign} ${line}\n</span>`
    )
  }</pre>`;
}
