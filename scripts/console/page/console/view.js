/** The view library: Preact and its hooks, and HTML in templates by HTM. Their scripts make globals. */
export const { render } = globalThis.preact;
export const { useCallback, useEffect, useRef, useState } = globalThis.preactHooks;
export const html = globalThis.htm.bind(globalThis.preact.h);
