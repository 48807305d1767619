// docs.ts -- Entry of `bun run docs`: writes what is generated, the tables of settings, metrics and alerts, the client's types, requests.http.

import { readFileSync, writeFileSync } from 'node:fs';
import { helpOn } from '../help.ts';

helpOn(`bun run docs                 generates docs/configuration.md, .env.example, the tables of monitoring/README.md,
                             client/api-types.ts, examples/requests.http, the runbook, the rules for Kubernetes,
                             and the version in the manifests`);

// After the help, which is to do nothing else.
const { documents, environmentExample, withSettingsTable } = await import('./settings-table.ts');
const { monitoringReadme, withMonitoringTables } = await import('./monitoring-tables.ts');
const { kustomizationFile, prometheusRule, prometheusRuleFile, runbookFile, runbookPage, withVersion } = await import(
  './runbook.ts'
);
const { clientTypes, clientTypesFile } = await import('./client-types.ts');
const { httpFile, requestsFile } = await import('./http-file.ts');

writeFileSync(documents.example, environmentExample());
writeFileSync(documents.table, withSettingsTable(readFileSync(documents.table, 'utf8')));
writeFileSync(monitoringReadme, withMonitoringTables(readFileSync(monitoringReadme, 'utf8')));
writeFileSync(runbookFile, runbookPage());
writeFileSync(prometheusRuleFile, prometheusRule());
writeFileSync(kustomizationFile, withVersion(readFileSync(kustomizationFile, 'utf8')));
writeFileSync(clientTypesFile, await clientTypes());
writeFileSync(httpFile, await requestsFile());
