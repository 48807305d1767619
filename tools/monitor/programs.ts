// programs.ts -- Finds Prometheus, its promtool and the exporters of the stores, and installs what is missing where that is allowed. Their
// system services are not started: the tests run programs of their own.
import { canInstallWithApt, installWithApt } from '../stack/apt-packages.ts';
import { findProgram } from '../stack/find-program.ts';

/** The paths of the programs. */
export interface MonitoringPrograms {
  prometheus: string;
  promtool: string;
  redisExporter: string;
  mysqldExporter: string;
}

/** By what names distributions install each program, and the Debian package that has it. */
const programs: Record<keyof MonitoringPrograms, { names: string[]; package: string }> = {
  prometheus: { names: ['prometheus'], package: 'prometheus' },
  promtool: { names: ['promtool'], package: 'prometheus' },
  redisExporter: { names: ['prometheus-redis-exporter', 'redis_exporter'], package: 'prometheus-redis-exporter' },
  mysqldExporter: { names: ['prometheus-mysqld-exporter', 'mysqld_exporter'], package: 'prometheus-mysqld-exporter' },
};

/** The programs, if all of them are here. */
export function findMonitoringPrograms(): MonitoringPrograms | undefined {
  const [prometheus, promtool, redisExporter, mysqldExporter] = [
    findProgram(...programs.prometheus.names),
    findProgram(...programs.promtool.names),
    findProgram(...programs.redisExporter.names),
    findProgram(...programs.mysqldExporter.names),
  ];
  const all = prometheus !== undefined && promtool !== undefined && redisExporter !== undefined;
  return all && mysqldExporter !== undefined ? { prometheus, promtool, redisExporter, mysqldExporter } : undefined;
}

/** The programs, after installing those that are missing. Undefined where they are missing and cannot be installed. */
export async function ensureMonitoringPrograms(): Promise<MonitoringPrograms | undefined> {
  const found = findMonitoringPrograms();
  if (found !== undefined || !canInstallWithApt()) return found;
  const missing = Object.values(programs).filter(({ names }) => findProgram(...names) === undefined);
  await installWithApt([...new Set(missing.map((program) => program.package))].map((name) => [[name]]));
  return findMonitoringPrograms();
}

/** What to do where nothing can be installed, as it reads after "without Prometheus". */
export const howToGetMonitoringPrograms =
  'install prometheus with promtool, redis_exporter and mysqld_exporter (Debian, Ubuntu: ' +
  'prometheus prometheus-redis-exporter prometheus-mysqld-exporter; macOS: brew install prometheus redis_exporter mysqld_exporter)';
