// plot.tsx -- One plot of a drop. Its values stand beside it as text, the newest or those under the pointer: a canvas says nothing to a screen
// reader. Dragging over it zooms, as the buttons above the plots do.

import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import Plotter from 'uplot';
import { language } from '../../shared/language.ts';
import { inZone, timeZone } from '../../shared/time-zone.ts';

export interface PlotProps {
  readonly title: string;
  readonly hint: string;
  /** How old the newest value is. */
  readonly age: ComponentChildren;
  /** Seconds since 1970, rising. */
  readonly times: readonly number[];
  /** At most two: the first is drawn in the accent. */
  readonly lines: readonly PlotLine[];
  /** The seconds to show; null for all. */
  readonly range: Range | null;
  onZoom(range: Range): void;
  /** A value in words. */
  words(value: number): string;
  /** What stands beside the axis: short, and with its unit where it has one. */
  marks?(value: number): string;
}

export type Range = readonly [from: number, to: number];

export interface PlotLine {
  readonly name: string;
  /** One for each time; null where nothing is known. */
  readonly values: readonly (number | null)[];
}

const HEIGHT = 170;

export function Plot({ title, hint, age, times, lines, range, onZoom, words, marks = short }: PlotProps) {
  const place = useRef<HTMLDivElement>(null);
  const drawn = useRef<Plotter | null>(null);
  const [pointed, setPointed] = useState<number | null>(null);
  const zoom = useRef(onZoom);
  zoom.current = onZoom;
  useEffect(() => {
    const element = place.current;
    if (element === null) return undefined;
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const draw = () => {
      drawn.current?.destroy();
      const options = optionsFor(element, lines.length, marks, {
        onPoint: setPointed,
        onZoom: (chosen) => zoom.current(chosen),
      });
      drawn.current = new Plotter(options, [[], ...lines.map(() => [])], element);
    };
    const resized = new ResizeObserver(() => drawn.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
    draw();
    resized.observe(element);
    dark.addEventListener('change', draw);
    return () => {
      dark.removeEventListener('change', draw);
      resized.disconnect();
      drawn.current?.destroy();
      drawn.current = null;
    };
  }, [lines.length, language.value, timeZone.value]);
  useEffect(() => {
    const [min, max] = range ?? [times[0] ?? 0, times.at(-1) ?? 1];
    drawn.current?.setData([[...times], ...lines.map(({ values }) => [...values])], false);
    drawn.current?.setScale('x', { min, max: Math.max(max, min + 1) });
  });
  const at = pointed === null ? undefined : times[pointed];
  return (
    <figure class="card plot">
      <figcaption>
        <h2>{title}</h2>
        <p class="hint">
          {hint} {at === undefined ? age : <time>{clockTime(at)}</time>}
        </p>
        <dl class="legend">
          {lines.map(({ name, values }) => (
            <div key={name}>
              <dt class={lines.length === 1 ? 'hidden' : ''}>{name}</dt>
              <dd class="number">{wordsAt(values, at === undefined ? null : pointed, words)}</dd>
            </div>
          ))}
        </dl>
      </figcaption>
      <div ref={place} aria-hidden="true" />
    </figure>
  );
}

function wordsAt(values: readonly (number | null)[], at: number | null, words: (value: number) => string): string {
  const value = (at === null ? values.at(-1) : values[at]) ?? null;
  return value === null ? '–' : words(value);
}

interface Pointing {
  onPoint(index: number | null): void;
  onZoom(range: Range): void;
}

function optionsFor(
  element: HTMLElement,
  lines: number,
  marks: (value: number) => string,
  { onPoint, onZoom }: Pointing,
): Plotter.Options {
  const accent = resolved(element, 'accent');
  const quiet = resolved(element, 'quiet');
  const line = resolved(element, 'line');
  const soft = resolved(element, 'accent-soft');
  const font = `12px ${getComputedStyle(element).fontFamily}`;
  const axis = { stroke: quiet, font, ticks: { show: false }, grid: { stroke: line, width: 1 } };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    // All plots of the page show the same instant.
    cursor: { y: false, drag: { x: true, y: false, setScale: false }, sync: { key: 'drop' } },
    hooks: {
      setCursor: [({ cursor: { idx } }) => onPoint(idx ?? null)],
      setSelect: [
        (plot) => {
          const { left, width } = plot.select;
          if (width < 4) return;
          onZoom([plot.posToVal(left, 'x'), plot.posToVal(left + width, 'x')]);
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
    },
    legend: { show: false },
    padding: [8, 8, 0, 0],
    scales: { x: { auto: false }, y: { range: (_, __, max) => [0, Math.max(4, max) * 1.1] } },
    axes: [
      { ...axis, grid: { show: false }, values: (_, ticks) => ticks.map(clockTime), space: 80, size: 28, incrs },
      { ...axis, size: 56, space: 36, values: (_, ticks) => ticks.map(marks) },
    ],
    series: [
      {},
      { stroke: accent, width: 2, points: { show: false }, ...(lines === 1 && { fill: soft }) },
      ...(lines > 1 ? [{ stroke: quiet, width: 1.5, points: { show: false }, dash: [4, 3] }] : []),
    ],
  };
}

/** Canvas understands no `light-dark()`: a colour comes from an element, where it is resolved. */
function resolved(element: HTMLElement, name: string): string {
  const probe = document.createElement('i');
  probe.style.color = `var(--${name})`;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** Seconds between two marks: never less than one, since the marks say no less. */
const incrs = [1, 2, 5, 10, 15, 30, 60, 120, 300, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400, 604_800];

function clockTime(seconds: number): string {
  const time = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' } as const;
  return new Date(seconds * 1000).toLocaleTimeString(language.value, inZone(time));
}

function short(value: number): string {
  return value.toLocaleString(language.value, { notation: 'compact', maximumFractionDigits: 1 });
}
