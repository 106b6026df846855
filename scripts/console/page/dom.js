/** Small helpers around the DOM. Text only ever becomes text: nothing here takes HTML. */

const SVG = new Set(["svg", "g", "rect", "line", "text", "title", "path"]);

/** The element of an id that the page has. */
export const byId = (id) => document.getElementById(id);

/**
 * Makes an element. `onclick` and the like become listeners, `true` an empty attribute; `false`,
 * `null` and `undefined` are left out, of attributes as of children.
 *
 * @param {string} tag
 * @param {Record<string, unknown>} [attributes]
 * @param {...unknown} children
 */
export function h(tag, attributes = {}, ...children) {
  const element = SVG.has(tag)
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat()) {
    if (child !== false && child !== null && child !== undefined) element.append(child);
  }
  return element;
}

/** @type {WeakMap<Element, Map<string, { json: string, element: Element }>>} */
const lists = new WeakMap();

/**
 * Makes `parent` show `items`. The element of an item that did not change stays the same one: a
 * player goes on playing, what is focused stays focused, and what is unfolded stays unfolded.
 *
 * @template T
 * @param {Element} parent
 * @param {readonly T[]} items
 * @param {(item: T) => string} keyOf
 * @param {(item: T, before: Element | undefined) => Element} build
 */
export function showList(parent, items, keyOf, build) {
  const before = lists.get(parent) ?? new Map();
  const now = new Map();
  for (const item of items) {
    const key = keyOf(item);
    const json = JSON.stringify(item);
    const known = before.get(key);
    now.set(key, known?.json === json ? known : { json, element: build(item, known?.element) });
  }
  for (const [key, { element }] of before) {
    if (now.get(key)?.element !== element) {
      const focused = element.contains(document.activeElement) && document.activeElement;
      const heir = now.get(key)?.element;
      if (heir === undefined) element.remove();
      else element.replaceWith(heir);
      if (focused && heir) {
        heir.querySelector(focused.name ? `[name="${focused.name}"]` : focused.localName)?.focus();
      }
    }
  }
  let at = parent.firstElementChild;
  for (const { element } of now.values()) {
    if (element === at) at = at.nextElementSibling;
    else parent.insertBefore(element, at);
  }
  lists.set(parent, now);
}

/** `08:15:42`, as this machine's person writes times. */
export const clockTime = (iso) => new Date(iso).toLocaleTimeString([], { timeStyle: "medium" });

/** The time; and the day when it is not today. */
export function moment(iso) {
  const date = new Date(iso);
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday
    ? date.toLocaleTimeString([], { timeStyle: "short" })
    : date.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

/** `1:05` of 65 seconds. */
export function minutes(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** A number as people read it: `+1 403 555 0123`. Others as they are. */
export function phoneNumber(e164) {
  if (e164 === null || e164 === undefined) return "Withheld";
  return e164.replace(/^\+1(\d{3})(\d{3})(\d{4})$/, "+1 $1 $2 $3");
}
