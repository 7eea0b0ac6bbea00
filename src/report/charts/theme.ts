// SPDX-License-Identifier: Apache-2.0
import type { Design } from './chart.js';

/** Values of the colours' names, in both schemes. Series and severities tell apart without red and green. */
export const palettes = {
  light: {
    ink: '#1b2330',
    muted: '#566072',
    line: '#d5dae2',
    paper: '#ffffff',
    'series-0': '#1f5fbf',
    'series-1': '#c4560a',
    'series-2': '#0b7a6b',
    'series-3': '#8a3ea8',
    'series-4': '#7a5c00',
    'series-5': '#b3245e',
    'severity-0': '#dbe7f6',
    'severity-1': '#a9c4e6',
    'severity-2': '#f2c46d',
    'severity-3': '#e58a2c',
    'severity-4': '#b83a1b',
  },
  dark: {
    ink: '#e8ecf2',
    muted: '#a3aebf',
    line: '#3a4353',
    paper: '#151a22',
    'series-0': '#7fb0ff',
    'series-1': '#ff9d4d',
    'series-2': '#4fd1bd',
    'series-3': '#d59bf0',
    'series-4': '#e0c04a',
    'series-5': '#ff86b3',
    'severity-0': '#22344d',
    'severity-1': '#355b8c',
    'severity-2': '#a97d1e',
    'severity-3': '#d97a1f',
    'severity-4': '#ff6a45',
  },
} as const;

/** What all charts share. */
export const config: Design = {
  background: null,
  font: 'system-ui, sans-serif',
  title: { color: 'var(--ink)', fontSize: 13, anchor: 'start', offset: 10 },
  axis: {
    labelColor: 'var(--muted)',
    titleColor: 'var(--ink)',
    gridColor: 'var(--line)',
    tickColor: 'var(--line)',
    domainColor: 'var(--line)',
    labelFontSize: 11,
    titleFontSize: 12,
    titleFontWeight: 'normal',
    labelLimit: 260,
  },
  legend: {
    labelColor: 'var(--ink)',
    titleColor: 'var(--muted)',
    labelFontSize: 12,
    titleFontWeight: 'normal',
    orient: 'top',
    labelLimit: 320,
    titleLimit: 320,
  },
  header: {
    labelColor: 'var(--ink)',
    labelFontSize: 12,
    labelAngle: 0,
    labelOrient: 'top',
    labelAnchor: 'start',
  },
  text: { color: 'var(--ink)' },
  rule: { color: 'var(--muted)' },
  view: { stroke: null },
};

/** Puts colours in the place of their names, for files outside of the page. */
export function withColors(text: string, scheme: keyof typeof palettes): string {
  const palette: Readonly<Record<string, string>> = palettes[scheme];
  return text.replace(/var\(--([a-z0-9-]+)\)/g, (whole, name: string) => palette[name] ?? whole);
}
