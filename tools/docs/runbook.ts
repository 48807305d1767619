// runbook.ts -- What is made from the rules: the runbook as a page that Prometheus serves, and the rules as an object of Kubernetes.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { readAlertGroups } from './monitoring-tables.ts';

const monitoring = resolve(import.meta.dirname, '../../monitoring');
const deploy = resolve(import.meta.dirname, '../../deploy');

/** Where they are. */
export const runbookFile = resolve(monitoring, 'consoles/runbook.html');
export const prometheusRuleFile = resolve(monitoring, 'kubernetes/rules.yaml');
/** The one place in the manifests that names the release. */
export const kustomizationFile = resolve(deploy, 'kubernetes/kustomization.yaml');

/** The runbook. Prometheus serves it at `/consoles/runbook.html`, where `runbook_url` of every alert leads. */
export function runbookPage(): string {
  const sections = readAlertGroups().map(({ name, rules }) => {
    const alerts = rules.map(
      ({ alert, expr, labels, annotations }) =>
        `<article id="${alert}"><h3>${alert} <small class="${labels.severity}">${labels.severity}</small></h3>\n` +
        `<p>${prose(annotations['summary'])}</p>\n<p><b>What to do:</b> ${prose(annotations['action'])}</p>\n` +
        `<pre>${escaped(expr.trim())}</pre></article>`,
    );
    return `<h2>${capitalized(name)}</h2>\n${alerts.join('\n')}`;
  });
  return `${head}\n<h1>Runbook</h1>\n${sections.join('\n')}\n</html>\n`;
}

// Made by `bun run docs`; Prometheus takes it for a template, so that it must hold no double braces.
const head = `<!doctype html>
<html lang="en">
<!-- runbook.html -- What each alert says and what to do about it, made from rules/alerts.yml by \`bun run docs\`. -->
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Coupon issuing: runbook</title>
<style>
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
  body { max-width: 48rem; margin: 2rem auto; padding: 0 1rem }
  article { padding: .25rem 1rem; border-left: 4px solid transparent }
  article:target { border-color: #2563eb; background: #2563eb1a }
  pre { overflow-x: auto; font-size: .85rem; opacity: .8 }
  small { font-size: .8rem; font-weight: 600 }
  .critical { color: #dc2626 }
  .warning { color: #b45309 }
</style>`;

/** The rules as prometheus-operator takes them. */
export function prometheusRule(): string {
  const groups = ['recording.yml', 'alerts.yml'].flatMap((file) => {
    const parsed = Bun.YAML.parse(readFileSync(resolve(monitoring, 'rules', file), 'utf8'));
    return (parsed as { groups: readonly unknown[] }).groups;
  });
  const rule = {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'PrometheusRule',
    metadata: { name: 'coupon-issuing', labels: { 'app.kubernetes.io/name': 'coupon-issuing' } },
    spec: { groups },
  };
  return `# rules.yaml -- The rules of ../rules for prometheus-operator, made by \`bun run docs\`.\n\n${Bun.YAML.stringify(rule, null, 2)}\n`;
}

/** The manifest with the version of package.json. */
export function withVersion(kustomization: string): string {
  const { version } = JSON.parse(readFileSync(resolve(deploy, '../package.json'), 'utf8')) as { version: string };
  return kustomization.replace(/literals: \[version=[^\]]*\]/, `literals: [version=${version}]`);
}

/** Text of a rule with its \`code\` marked. */
function prose(text = ''): string {
  return escaped(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>');
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
