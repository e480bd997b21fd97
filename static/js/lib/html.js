// Preact and htm in one place, so that pages import one name for both.
import { Fragment, h, render } from "preact";
import { useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import htm from "htm";

export const html = htm.bind(h);
export { Fragment, render, useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState };
