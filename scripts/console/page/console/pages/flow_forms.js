/** The forms of the flow editor. Each changes the whole definition by `write(definition)`. */
import { db } from "../session.js";
import { ask, Failure, useLive } from "../data.js";
import { phone, t } from "../words.js";
import { act, Card, Do, Form, html, useState } from "../parts.js";
import { e164 } from "./people.js";
import {
  FIELDS,
  freeName,
  ofType,
  periodsOf,
  periodsText,
  renamed,
  TYPE_WORDS,
  TYPES,
} from "./flow_spec.js";
import { PromptSound } from "./prompt_audio.js";

const ID = "[a-z][a-z0-9_]{0,31}";

/** The object without a key. */
const without = (record, key) =>
  Object.fromEntries(Object.entries(record ?? {}).filter(([each]) => each !== key));
/** With a value, or without the key where it is empty. */
const having = (record, key, value) =>
  value === undefined || value === "" || (Array.isArray(value) && value.length === 0)
    ? without(record, key)
    : { ...record, [key]: value };

/** A list to choose from; what is chosen and does not exist stays visible. */
function Choice({ label, value = "", from, words = (id) => id, set, optional, added }) {
  const options = from.includes(value) || value === "" ? from : [value, ...from];
  return html`<label>${label}<select aria-label=${label} value=${value} required=${!optional} onChange=${(
    event,
  ) => event.target.value === "+" ? added() : set(event.target.value || undefined)}>
    ${
    (optional || value === "") &&
    html`<option value="">${optional ? t("none", "aucun") : t("Choose…", "Choisir…")}</option>`
  }
    ${options.map((id) => html`<option key=${id} value=${id}>${words(id)}</option>`)}
    ${added && html`<option value="+">${t("+ a new one", "+ nouveau")}</option>`}
  </select></label>`;
}

/** A text that is taken over as soon as it has its form. */
function Written({ label, value = "", read = (text) => text, set, ...rest }) {
  const [text, setText] = useState();
  const bad = text !== undefined && read(text) === undefined;
  return html`<label>${label}<input autocomplete="off" value=${text ?? value} aria-invalid=${bad}
    onInput=${(event) => {
    const written = event.target.value;
    setText(written);
    const taken = read(written);
    if (taken !== undefined) set(taken);
  }} onBlur=${() => bad || setText()} ...${rest} /></label>`;
}

const listOf = (text) => text.split(/[,;\n]/).map((each) => each.trim()).filter(Boolean);

/** The form of one step: its type, its fields and where it leads. */
export function StepForm({ flow, id, write, pick, issues, flows }) {
  const node = flow.nodes[id];
  const names = Object.keys(flow.nodes);
  const setNode = (next) => write({ ...flow, nodes: { ...flow.nodes, [id]: next } });
  const set = (field) => (value) => setNode(having(node, field, value));
  const words = (each) => `${each} – ${t(...TYPE_WORDS[flow.nodes[each]?.type] ?? ["?", "?"])}`;
  /** A choice of steps; `put` takes the chosen one, also a new one. */
  const Step = ({ label, value, put, optional }) =>
    Choice({
      label,
      value,
      from: names.filter((each) => each !== id),
      words,
      optional,
      set: (target) => setNode(put(target)),
      added: () => {
        const fresh = freeName("step", flow.nodes);
        write({
          ...flow,
          nodes: { ...flow.nodes, [id]: put(fresh), [fresh]: { type: "end" } },
        });
        pick(fresh);
      },
    });
  const items = (field, item, empty, label) =>
    html`<fieldset class="stack"><legend>${label}</legend>${
      (node[field] ?? []).map((each, at) => {
        const change = (next) => ({
          ...node,
          [field]: node[field].map((old, i) => i === at ? next : old),
        });
        return html`<div class="row" key=${at}>${item(each, change, at)}
          <button type="button" class="quiet" aria-label=${
          t(`Remove ${label} ${at + 1}`, `Retirer ${label} ${at + 1}`)
        } onClick=${() =>
          setNode({ ...node, [field]: node[field].filter((_, i) => i !== at) })}>×</button></div>`;
      })
    }
      <button type="button" onClick=${() =>
      setNode({ ...node, [field]: [...node[field] ?? [], empty()] })}>${
      t("Add", "Ajouter")
    }</button></fieldset>`;
  const target = () => names.find((each) => each !== id) ?? "";

  const field = (spec) => {
    const optional = spec.endsWith("?");
    const name = spec.replace("?", "");
    const [kind, english, french, least, most] = FIELDS[name];
    const label = t(english, french);
    const value = node[name];
    if (Array.isArray(kind)) {
      const told = {
        opt_out: t("unless the caller declines", "sauf refus"),
        opt_in: t("only when the caller agrees", "seulement si accepté"),
        caller: t("the caller’s number", "le numéro de l’appelant"),
        line: t("the line that was called", "la ligne appelée"),
        returning: t("whether they called before", "s’ils ont déjà appelé"),
      };
      return Choice({ label, value, from: kind, words: (each) => told[each], set: set(name) });
    }
    switch (kind) {
      case "node":
        return Step({ label, value, optional, put: (to) => having(node, name, to) });
      case "prompt":
        return Choice({
          label,
          value,
          optional,
          from: Object.keys(flow.prompts ?? {}),
          set: set(name),
          added: () => {
            const fresh = freeName(id, flow.prompts);
            write({
              ...flow,
              prompts: {
                ...flow.prompts,
                [fresh]: Object.fromEntries(flow.languages.map((language) => [language, ""])),
              },
              nodes: { ...flow.nodes, [id]: { ...node, [name]: fresh } },
            });
          },
        });
      case "number":
        return html`<label>${label}<input type="number" min=${least} max=${most} required=${!optional}
          value=${value ?? ""} onInput=${(event) =>
          set(name)(
            event.target.value === "" ? undefined : Number(event.target.value),
          )} /></label>`;
      case "key":
        return Choice({ label, value, optional, from: [..."1234567890*#"], set: set(name) });
      case "language":
        return Choice({ label, value, from: flow.languages ?? [], set: set(name) });
      case "calendar":
        return Choice({ label, value, from: Object.keys(flow.calendars ?? {}), set: set(name) });
      case "agent":
        return Choice({ label, value, from: Object.keys(flow.agents ?? {}), set: set(name) });
      case "group":
        // Either a group or one telephone.
        return Choice({
          label,
          value,
          optional,
          from: Object.keys(flow.groups ?? {}),
          set: (group) => setNode(having(group ? without(node, "to") : node, "group", group)),
        });
      case "phone":
        return html`
          <${Written} label=${label} inputmode="tel" placeholder="+1 403 555 0123"
            value=${value ? phone(value) : ""} read=${(text) =>
              text.trim() === "" ? "" : /^\+\d{8,15}$/.test(e164(text)) ? e164(text) : undefined}
            set=${(to) => setNode(having(to ? without(node, "group") : node, "to", to))} />
        `;
      case "flow":
        return Choice({ label, value, from: flows, set: set(name) });
      case "options":
        return items(
          name,
          (option, change, at) =>
            html`
              ${Choice({
                label: t(`Key of choice ${at + 1}`, `Touche du choix ${at + 1}`),
                value: option.key,
                optional: true,
                from: [..."1234567890*#"],
                set: (key) => setNode(change(having(option, "key", key))),
              })}
              ${option.words === undefined || Array.isArray(option.words)
                ? html`<${Written} label=${
                  t(`Words of choice ${at + 1}`, `Mots du choix ${at + 1}`)
                } value=${(option.words ?? []).join(", ")} read=${listOf} set=${(words) =>
                  setNode(change(having(option, "words", words)))} />`
                : Object.entries(option.words).map(([language, words]) =>
                  html`<${Written} key=${language} label=${
                    t(`Words of choice ${at + 1}`, `Mots du choix ${at + 1}`) +
                    ` (${language})`
                  } value=${words.join(", ")} read=${listOf} set=${(next) =>
                    setNode(
                      change(having(option, "words", having(option.words, language, next))),
                    )} />`
                )}
              ${Step({
                label: t(`Choice ${at + 1} leads to`, `Le choix ${at + 1} mène à`),
                value: option.next,
                put: (to) => change({ ...option, next: to }),
              })}
            `,
          () => ({ key: String((node.options?.length ?? 0) + 1).slice(-1), next: target() }),
          label,
        );
      case "cases":
        return items(
          name,
          (each, change, at) =>
            html`${
              node.on === "returning"
                ? Choice({
                  label: t(`Case ${at + 1}`, `Cas ${at + 1}`),
                  value: each.in[0],
                  from: ["yes", "no"],
                  words: (word) => word === "yes" ? t("yes", "oui") : t("no", "non"),
                  set: (word) => setNode(change({ ...each, in: [word] })),
                })
                : html`
                  <${Written} label=${t(
                    `Numbers of case ${at + 1}`,
                    `Numéros du cas ${at + 1}`,
                  )} placeholder="+1403*, +15875550101" value=${each.in.join(", ")} read=${listOf}
                    set=${(values) => setNode(change({ ...each, in: values }))} />
                `
            }
            ${
              Step({
                label: t(`Case ${at + 1} leads to`, `Le cas ${at + 1} mène à`),
                value: each.next,
                put: (to) => change({ ...each, next: to }),
              })
            }`,
          () => ({ in: node.on === "returning" ? ["yes"] : [], next: target() }),
          label,
        );
      case "departments":
        return html`
          <fieldset
            class="stack"><legend>${label}</legend>${Object.entries(node.departments ?? {}).map((
              [department, to],
            ) =>
              html`
                <div class="row"
                  key=${department}>${Step({
                    label: department,
                    value: to,
                    put: (next) => ({
                      ...node,
                      departments: { ...node.departments, [department]: next },
                    }),
                  })}<button type="button" class="quiet" aria-label=${t(
                    `Remove ${department}`,
                    `Retirer ${department}`,
                  )} onClick=${() =>
                    setNode({
                      ...node,
                      departments: without(node.departments, department),
                    })}>×</button></div>
              `
            )}<${AddName} label=${t("New department", "Nouveau service")} taken=${node.departments}
                    add=${(department) =>
                      setNode({
                        ...node,
                        departments: { ...node.departments, [department]: target() },
                      })} /></fieldset>
        `;
      default:
        return html`
          <${Written} label=${label} value=${value} pattern=${ID} read=${(text) =>
            text === "" || new RegExp(`^${ID}$`).test(text) ? text : undefined}
            set=${set(name)} />
        `;
    }
  };

  return html`<div class="stack" role="group" aria-label=${t(`Step ${id}`, `Étape ${id}`)}>
    <div class="row">
      <${Written} key=${id} label=${
    t("Name of the step", "Nom de l’étape")
  } value=${id} pattern=${ID}
        read=${(text) =>
    new RegExp(`^${ID}$`).test(text) && (text === id || !Object.hasOwn(flow.nodes, text))
      ? text
      : undefined} set=${(text) => {
    if (text === id) return;
    write(renamed(flow, id, text));
    pick(text);
  }} />
      ${
    Choice({
      label: t("What it does", "Ce qu’elle fait"),
      value: node.type,
      from: Object.keys(TYPES),
      words: (type) => t(...TYPE_WORDS[type] ?? [type, type]),
      set: (type) => setNode(ofType(flow, id, type)),
    })
  }
    </div>
    ${
    (TYPES[node.type] ?? []).map((spec) => html`<div key=${`${id} ${spec}`}>${field(spec)}</div>`)
  }
    <${Issues} of=${issues} />
    <div class="row">
      ${
    flow.start === id
      ? html`<span class="tag good">${t("Calls begin here", "Les appels commencent ici")}</span>`
      : html`
        <button type="button" onClick=${() => write({ ...flow, start: id })}>${t(
          "Begin calls here",
          "Commencer ici",
        )}</button>
        <${Do} kind="danger" act=${() =>
          act(
            () => {
              write({ ...flow, nodes: without(flow.nodes, id) });
              pick(flow.start);
              return Promise.resolve();
            },
            t(`The step ${id} is removed.`, `L’étape ${id} est retirée.`),
            () => Promise.resolve(write(flow)),
          )}>${t("Remove this step", "Retirer cette étape")}<//>
      `
  }
    </div>
  </div>`;
}

/** What is at fault, with its place. */
export const Issues = ({ of }) =>
  of.length > 0 &&
  html`<ul>${
    of.slice(0, 30).map(({ path, message }) =>
      html`<li key=${path + message} class="bad"><code>${path}</code> ${message}</li>`
    )
  }</ul>`;

/** A form that asks for the name of something new. */
function AddName({ label, taken = {}, add }) {
  return html`
    <${Form} class="inline" label=${label} button=${t("Add", "Ajouter")}
      submit=${(
        { name },
        form,
      ) => {
        if (Object.hasOwn(taken, name)) {
          throw new Failure(t(`${name} exists already.`, `${name} existe déjà.`));
        }
        add(name);
        form.reset();
        return Promise.resolve();
      }}><label>${label}<input name="name" required pattern=${ID} autocomplete="off" title=${t(
        "Lower-case letters, digits and underscores",
        "Lettres minuscules, chiffres et tirets bas",
      )} /></label><//>
  `;
}

/** A removable entry of the definition's `part`. */
const Remove = ({ flow, write, part, name }) =>
  html`<${Do} aria-label=${t(`Remove ${name}`, `Retirer ${name}`)} act=${() =>
    act(
      () => Promise.resolve(write({ ...flow, [part]: without(flow[part], name) })),
      t(`${name} is removed.`, `${name} est retiré.`),
      () => Promise.resolve(write(flow)),
    )}>${t("Remove", "Retirer")}<//>`;

/** The words of each prompt in each language, or their sound. */
export function Words({ flow, write, can }) {
  const put = (name, language, spoken) =>
    write({
      ...flow,
      prompts: {
        ...flow.prompts,
        [name]: language === undefined ? spoken : { ...flow.prompts[name], [language]: spoken },
      },
    });
  const used = new Set(
    [...Object.values(flow.nodes ?? {}).map(({ prompt }) => prompt), flow.missed_call?.sms],
  );
  return html`<${Card} id="words" title=${t("What callers hear", "Ce qu’ils entendent")}>
    ${
    Object.entries(flow.prompts ?? {}).map(([name, prompt]) => {
      const whole = typeof prompt?.audio === "string";
      const languages = whole
        ? [undefined]
        : [...new Set([...flow.languages ?? [], ...Object.keys(prompt ?? {})])];
      return html`<div class="stack" key=${name}>${
        languages.map((language) => {
          const spoken = whole ? prompt : prompt?.[language] ?? "";
          const audio = spoken?.audio;
          const words = audio ? spoken.text ?? "" : spoken;
          const label = `${name} ${language ?? ""}`.trim();
          const set = (next) =>
            put(
              name,
              whole && typeof next === "string" ? undefined : language,
              whole && typeof next === "string"
                ? Object.fromEntries((flow.languages ?? []).map((each) => [each, next]))
                : next,
            );
          return html`<div key=${language}><label class="wide">${name} <small>${language}${
            audio
              ? t(
                ": a recording; spoken should it be missing",
                " : un enregistrement ; paroles s’il manque",
              )
              : ""
          }</small>
            <textarea rows="2" lang=${language} readonly=${!can} value=${words} onInput=${(event) =>
            set(
              audio ? having({ audio }, "text", event.target.value) : event.target.value,
            )}></textarea></label>
            ${
            (can || audio) &&
            html`<${PromptSound} label=${label} audio=${audio} words=${words} set=${set} />`
          }</div>`;
        })
      }${
        can && !used.has(name) &&
        html`
          <div>
            <${Remove} flow=${flow} write=${write} part="prompts" name=${name} />
          </div>
        `
      }</div>`;
    })
  }
    ${
    can &&
    html`<${AddName} label=${t("New words", "Nouvelles paroles")} taken=${flow.prompts} add=${(
      name,
    ) =>
      put(
        name,
        undefined,
        Object.fromEntries((flow.languages ?? []).map((language) => [language, ""])),
      )} />`
  }
  <//>`;
}

const DAYS = () => [
  ["mon", t("Monday", "Lundi")],
  ["tue", t("Tuesday", "Mardi")],
  ["wed", t("Wednesday", "Mercredi")],
  ["thu", t("Thursday", "Jeudi")],
  ["fri", t("Friday", "Vendredi")],
  ["sat", t("Saturday", "Samedi")],
  ["sun", t("Sunday", "Dimanche")],
];

/** When a calendar is open: each weekday, and dates that differ. */
export function Calendars({ flow, write }) {
  const put = (name, calendar) =>
    write({ ...flow, calendars: { ...flow.calendars, [name]: calendar } });
  return html`<${Part} title=${t("Opening hours", "Horaires")} n=${
    Object.keys(flow.calendars ?? {}).length
  }>
    ${
    Object.keys(flow.calendars ?? {}).length === 0 && html`<p class="note">${
      t(
        "No hours yet. Add some, then a step “Open or closed?” asks them.",
        "Pas encore d’horaire. Ajoutez-en un ; une étape « Ouvert ou fermé ? » le consulte.",
      )
    }</p>`
  }
    ${
    Object.entries(flow.calendars ?? {}).map(([name, calendar]) =>
      html`<fieldset class="stack" key=${name}><legend>${name}</legend>
        ${
        DAYS().map(([day, words]) =>
          html`
            <${Written} key=${day} label=${words} placeholder=${t("closed", "fermé")}
              value=${periodsText(calendar.weekly?.[day])} read=${periodsOf} set=${(periods) =>
                put(name, { ...calendar, weekly: { ...calendar.weekly, [day]: periods } })} />
          `
        )
      }
        ${
        Object.entries(calendar.dates ?? {}).sort().map(([date, periods]) =>
          html`
            <div class="row"
              key=${date}><${Written} label=${date} placeholder=${t(
                "closed",
                "fermé",
              )} value=${periodsText(periods)} read=${periodsOf} set=${(next) =>
                put(name, { ...calendar, dates: { ...calendar.dates, [date]: next } })} />
                      <button type="button" class="quiet" aria-label=${t(
                        `Remove ${date}`,
                        `Retirer ${date}`,
                      )} onClick=${() =>
                        put(
                          name,
                          having(calendar, "dates", without(calendar.dates, date)),
                        )}>×</button></div>
          `
        )
      }
        <${Form} class="inline" label=${t("A date that differs", "Une date différente")} button=${
        t("Add", "Ajouter")
      } submit=${({ date }) => {
        put(name, { ...calendar, dates: { ...calendar.dates, [date]: [] } });
        return Promise.resolve();
      }}><label>${
        t("A date that differs", "Une date différente")
      }<input name="date" type="date" required /></label><//>
        <div><${Remove} flow=${flow} write=${write} part="calendars" name=${name} /></div>
      </fieldset>`
    )
  }
    <${AddName} label=${t("New hours", "Nouvel horaire")} taken=${flow.calendars} add=${(name) =>
    put(name, {
      weekly: Object.fromEntries(
        ["mon", "tue", "wed", "thu", "fri"].map((day) => [day, [["09:00", "17:00"]]]),
      ),
    })} />
  <//>`;
}

/** Whom steps ring together. */
export function Groups({ flow, write }) {
  const people = useLive(
    () => ask(db.from("people").select("handle, name").order("name")),
    "people",
    60_000,
  );
  const put = (name, group) => write({ ...flow, groups: { ...flow.groups, [name]: group } });
  const ways = {
    all: t("all at once", "tous à la fois"),
    in_turn: t("one after the other", "l’un après l’autre"),
    rotate: t("who waited longest first", "à tour de rôle"),
  };
  return html`<${Part} title=${t("Groups", "Groupes")} n=${Object.keys(flow.groups ?? {}).length}>
    <p class="note">${
    t(
      `A group rings people by their handle, or telephones by their number. People: ${
        people.data?.map(({ handle }) => handle).join(", ") || "none yet"
      }.`,
      `Un groupe fait sonner des personnes par leur identifiant, ou des numéros. Personnes : ${
        people.data?.map(({ handle }) => handle).join(", ") || "aucune"
      }.`,
    )
  }</p>
    ${
    Object.entries(flow.groups ?? {}).map(([name, group]) => {
      const set = (field) => (value) => put(name, having(group, field, value));
      return html`
        <fieldset class="stack" key=${name}>
          <legend>${name}</legend>
          <${Written} label=${t("Members", "Membres")} value=${(group.members ?? []).join(
            ", ",
          )} placeholder="anna, +15875550101" read=${listOf}
            set=${(members) => put(name, { ...group, members })} />
          <div class="row">
                ${Choice({
                  label: t("Rings", "Fait sonner"),
                  value: group.ring ?? "all",
                  from: Object.keys(ways),
                  words: (way) => ways[way],
                  set: set("ring"),
                })}
                <label>${t(
                  "Seconds that each rings",
                  "Secondes de sonnerie",
                )}<input type="number" min="5" max="600" value=${group.seconds ??
                  ""} placeholder="20" onInput=${(
                  event,
                ) =>
                  set("seconds")(
                    event.target.value === "" ? undefined : Number(event.target.value),
                  )} /></label>
                ${Choice({
                  label: t("Works during", "Travaille selon"),
                  value: group.calendar,
                  optional: true,
                  from: Object.keys(flow.calendars ?? {}),
                  set: set("calendar"),
                })}
                <${Written} label=${t("Transfer code", "Code de transfert")} value=${group
                  .code} inputmode="numeric" read=${(text) =>
                  /^\d{0,4}$/.test(text) ? text : undefined} set=${set("code")} /></div>
          <label
            class="row"><input type="checkbox" checked=${group.confirm === true} onChange=${(
              event,
            ) => set("confirm")(event.target.checked || undefined)} /> ${t(
              "They accept by pressing 1",
              "Ils acceptent avec la touche 1",
            )}</label>
          <label
            class="row"><input type="checkbox" checked=${group.context === true} onChange=${(
              event,
            ) => set("context")(event.target.checked || undefined)} /> ${t(
              "They hear who calls",
              "Ils entendent qui appelle",
            )}</label>
          <div>
            <${Remove} flow=${flow} write=${write} part="groups" name=${name} />
          </div>
        </fieldset>
      `;
    })
  }
    <${AddName} label=${t("New group", "Nouveau groupe")} taken=${flow.groups} add=${(name) =>
    put(name, {
      members: people.data?.slice(0, 1).map(({ handle }) => handle) ?? [],
      seconds: 20,
      confirm: true,
    })} />
  <//>`;
}

const TOOLS = ["answer", "transfer", "take_message", "book_callback", "hours"];

/** What assistants know of themselves. What they may answer is on the page Knowledge. */
export function Agents({ flow, write }) {
  const put = (name, agent) => write({ ...flow, agents: { ...flow.agents, [name]: agent } });
  const does = {
    answer: t("answer from the knowledge", "répondre d’après les connaissances"),
    transfer: t("put callers through", "transférer"),
    take_message: t("take messages", "prendre un message"),
    book_callback: t("promise call backs", "promettre un rappel"),
    hours: t("tell the opening hours", "dire les horaires"),
  };
  return html`<${Part} title=${t("Assistants", "Assistants")} n=${
    Object.keys(flow.agents ?? {}).length
  }>
    <p class="note">${
    t("What they may answer is under ", "Ce qu’ils peuvent répondre est sous ")
  }<a href="#/knowledge">${t("Knowledge", "Connaissances")}</a>.</p>
    ${
    Object.entries(flow.agents ?? {}).map(([name, agent]) => {
      const set = (field) => (value) => put(name, having(agent, field, value));
      const number = (field, label, step) =>
        html`<label>${label}<input type="number" min="0" step=${step} value=${
          agent[field] ?? ""
        } onInput=${(event) =>
          set(field)(
            event.target.value === "" ? undefined : Number(event.target.value),
          )} /></label>`;
      return html`
        <fieldset class="stack" key=${name}>
          <legend>${name}</legend>
          <label
            class="wide">${t(
              "Instructions",
              "Consignes",
            )}<textarea rows="4" value=${agent.instructions ?? ""} onInput=${(event) =>
              set("instructions")(event.target.value)}></textarea></label>
          <${Written} label=${t(
            "Business, as callers hear it",
            "Entreprise, pour l’appelant",
          )} value=${agent.business} set=${set("business")} />
          <${Written} label=${t(
            "Models, the first first",
            "Modèles, par priorité",
          )} value=${(agent.models ?? []).join(", ")}
            placeholder="anthropic:claude-haiku-5-5, embedded" read=${listOf} set=${set(
              "models",
            )} />
          <div class="row">${TOOLS.map((tool) =>
            html`
              <label class="row"
                key=${tool}><input type="checkbox" checked=${(agent.tools ?? []).includes(
                  tool,
                )} onChange=${(event) =>
                  set("tools")(
                    TOOLS.filter((each) =>
                      each === tool ? event.target.checked : (agent.tools ?? []).includes(each)
                    ),
                  )} /> ${does[tool]}</label>
            `
          )}</div>
          <div class="row">${number(
            "max_minutes",
            t("Most minutes", "Minutes au plus"),
            1,
          )}${number(
            "max_cost_usd",
            t("Most US dollars a call", "Dollars US au plus par appel"),
            0.01,
          )}</div>
          <div>
            <${Remove} flow=${flow} write=${write} part="agents" name=${name} />
          </div>
        </fieldset>
      `;
    })
  }
    <${AddName} label=${t("New assistant", "Nouvel assistant")} taken=${flow.agents} add=${(name) =>
    put(name, { instructions: "", models: ["embedded"], tools: TOOLS })} />
  <//>`;
}

/** What holds for the whole flow. */
export function Whole({ flow, write }) {
  const set = (field) => (value) => write(having(flow, field, value));
  const steps = Object.keys(flow.nodes ?? {});
  const missed = (field, value) =>
    write(
      having(
        flow,
        "missed_call",
        (([...keys]) => keys.length ? Object.fromEntries(keys) : undefined)(
          Object.entries(having(flow.missed_call ?? {}, field, value)),
        ),
      ),
    );
  return html`
    <${Part} title=${t("The whole flow", "Le scénario entier")}>
      <div class="row">
          <${Written} label=${t("Business", "Entreprise")} value=${flow.business} set=${set(
            "business",
          )} />
          <${Written} label=${t("Time zone", "Fuseau horaire")} value=${flow.zone} set=${set(
            "zone",
          )} />
          <${Written} label=${t(
            "Languages, the first first",
            "Langues, par priorité",
          )} value=${(flow.languages ?? []).join(", ")} read=${(text) =>
            listOf(text).length && listOf(text).every((each) => /^[a-z]{2,3}(-\w+)*$/.test(each))
              ? listOf(text)
              : undefined} set=${set("languages")} />
          ${Choice({
            label: t("Key 0 leads to", "La touche 0 mène à"),
            value: flow.operator,
            optional: true,
            from: steps,
            set: set("operator"),
          })}
          ${Choice({
            label: t("Text after a missed call", "Texto après un appel manqué"),
            value: flow.missed_call?.sms,
            optional: true,
            from: Object.keys(flow.prompts ?? {}),
            set: (prompt) => missed("sms", prompt),
          })}
          <label class="row"><input type="checkbox" checked=${flow.missed_call?.mail ===
            true} onChange=${(
            event,
          ) => missed("mail", event.target.checked || undefined)} /> ${t(
            "Mail about missed calls",
            "Courriel sur les appels manqués",
          )}</label>
        </div>
      <//>
  `;
}

/** A part of the editor that opens. */
const Part = ({ title, n, children }) =>
  html`
    <details class="card">
      <summary>${title}${n
        ? html`
          <span class="count">${n}</span>
        `
        : ""}</summary>
      <div class="stack">${children}</div>
    </details>
  `;
