// large-installation.test.ts -- The examples of the large installation, Compose and Kubernetes, are held against what they name: files,
// commands, settings, hosts of the proxy, and the objects that they change.

import { expect, test } from 'bun:test';
import { cpSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import manifest from '../../package.json' with { type: 'json' };
import { settings } from '../../src/config/settings.ts';
import { findProgram } from '../../tools/stack/find-program.ts';
import { runCommand } from '../../tools/stack/run-command.ts';

const root = resolve(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly env_file?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly depends_on?: Readonly<Record<string, unknown>>;
  readonly deploy?: { readonly replicas: number };
}
interface Patch {
  readonly target: { readonly kind: string; readonly name: string };
  readonly patch: string;
}
interface Operation {
  readonly op: 'add' | 'replace';
  readonly path: string;
  readonly value: unknown;
}

const large = Bun.YAML.parse(read('deploy/compose/large.yaml')) as { readonly services: Record<string, Service> };
const single = Bun.YAML.parse(read('compose.yaml')) as { readonly services: Record<string, Service> };
const example = new Map(
  [...read('deploy/compose/large.env.example').matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [name, value]),
);
const isKnown = (name: string | undefined): boolean => name !== undefined && name in settings.properties;

test('the compose file runs several APIs and workers by the commands of the small one, with the same limits', () => {
  const { services } = large;
  for (const [name, service] of Object.entries(services)) {
    const { image, depends_on: needed = {}, environment = {}, volumes = [], ports = [] } = service;
    expect(Object.keys(needed).filter((other) => !(other in services))).toEqual([]);
    expect(Object.keys(environment).filter((setting) => !isKnown(setting))).toEqual([]);
    for (const volume of volumes)
      expect(existsSync(join(root, 'deploy/compose', volume.split(':')[0] ?? ''))).toBe(true);
    for (const port of ports) expect(port).toStartWith('127.0.0.1:');
    const same = single.services[name];
    expect([name, image, service.command]).toEqual([name, same?.image ?? '', same?.command]);
    if (service.command) expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'], env_file: 'large.env' });
  }
  const replicas = Object.entries(services).map(([name, { deploy }]) => [name, deploy?.replicas ?? 1]);
  expect(replicas).toEqual([
    ['proxy', 1],
    ['api-1', 2],
    ['api-2', 2],
    ['worker', 3],
    ['migrate', 1],
  ]);
});

test('the proxy finds every API of it under the names and the port of nginx.conf', () => {
  const servers = [...read('deploy/compose/nginx.conf').matchAll(/^ {4}server (\S+):(\d+) /gm)];
  const apis = Object.entries(large.services).filter(([, { command }]) => command?.includes('src/server.ts'));
  expect(servers.map(([, host, port]) => [host, port])).toEqual(
    apis.map(([name, { environment }]) => [name, environment?.['PORT']]),
  );
  expect(read('deploy/compose/nginx.conf')).toMatch(/^ {4}least_conn;$/m);
});

test('its example sets known settings within their bounds, and names a cluster and a Vitess', () => {
  expect([...example.keys()].filter((name) => !isKnown(name))).toEqual([]);
  expect(example.get('REDIS_URL')).toMatch(/^redis\+cluster:\/\/\w+:\w+@[\w-]+:\d+(,[\w-]+:\d+)+$/);
  expect(URL.parse(example.get('DATABASE_URL') ?? '')).toMatchObject({ protocol: 'mysql:', pathname: '/coupon' });
  for (const name of ['PARTITIONS', 'REDIS_COMMAND_MS_MAX'] as const) {
    const { minimum = 0, maximum = 0 } = settings.properties[name];
    const value = Number(example.get(name));
    expect([name, value >= minimum && value <= maximum]).toEqual([name, true]);
  }
  expect(read('.gitignore').split('\n')).toContain('large.env');
});

const overlay = Bun.YAML.parse(read('deploy/kubernetes-large/kustomization.yaml')) as {
  readonly resources: readonly string[];
  readonly patches: readonly Patch[];
  readonly configMapGenerator: readonly {
    readonly name: string;
    readonly behavior: string;
    readonly literals: readonly string[];
  }[];
};

/** The objects of ../kubernetes, by kind and name. */
const objects = new Map(
  globSync('deploy/kubernetes/*.yaml', { cwd: root })
    .flatMap((path) => read(path).split(/^---$/m))
    .map((text) => Bun.YAML.parse(text) as { readonly kind?: string; readonly metadata?: { readonly name: string } })
    .map((object) => [`${object.kind} ${object.metadata?.name}`, object] as const),
);

function at(object: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], object);
}

test('the manifests change values that are there, and add settings that there are', () => {
  expect(overlay.resources).toEqual(['../kubernetes']);
  const values: Record<string, unknown> = {};
  for (const { target, patch } of overlay.patches) {
    const object = objects.get(`${target.kind} ${target.name}`);
    expect([target, object !== undefined]).toEqual([target, true]);
    for (const { op, path, value } of Bun.YAML.parse(patch) as Operation[]) {
      const names = path.split('/').slice(1);
      expect([path, op === 'replace' ? at(object, names) !== undefined : isKnown(names.at(-1))]).toEqual([path, true]);
      values[`${target.name}${path}`] = value;
    }
  }
  const [merged] = overlay.configMapGenerator;
  expect(merged).toMatchObject({ name: 'coupon-settings', behavior: 'merge' });
  const settingsOfLarge = new Map(merged?.literals.map((literal) => literal.split('=') as [string, string]));
  expect([...settingsOfLarge.keys()].filter((name) => !isKnown(name))).toEqual([]);
  expect(Object.fromEntries(settingsOfLarge)).toEqual({
    PARTITIONS: example.get('PARTITIONS') ?? '',
    REDIS_COMMAND_MS_MAX: example.get('REDIS_COMMAND_MS_MAX') ?? '',
  });
  expect(Number(values['coupon-api/spec/minReplicas'])).toBeGreaterThan(2);
  // More workers than partitions bring nothing.
  expect(Number(values['coupon-worker/spec/maxReplicas'])).toBeLessThanOrEqual(Number(example.get('PARTITIONS')));
});

/** What Kustomize makes of a folder. */
async function build(folder: string): Promise<string> {
  const args = [...(kubectl?.endsWith('kubectl') ? ['kustomize'] : ['build']), folder];
  const { ok, output } = await runCommand(kubectl ?? '', args, { folder: root });
  expect([ok, ok ? '' : output]).toEqual([true, '']);
  return output;
}

const kubectl = findProgram('kubectl', 'kustomize');

test.skipIf(kubectl === undefined)(
  'Kustomize builds both installations, and the large one differs in what it says',
  async () => {
    const [small, big] = [await build('deploy/kubernetes'), await build('deploy/kubernetes-large')];
    const kinds = (text: string) => [...text.matchAll(/^kind: (\w+)$/gm)].map(([, kind]) => kind);
    expect(kinds(big)).toEqual(kinds(small));
    expect(big).toContain('PARTITIONS: "64"');
    expect(big).toContain('maxReplicas: 64');
    expect(big).toContain('namespace: coupon');
  },
);

test.skipIf(kubectl === undefined)('what Kustomize builds has the release in every place that needs it', async () => {
  const { version } = manifest;
  const text = await build('deploy/kubernetes');
  expect([...text.matchAll(/image: (.*)$/gm)].map(([, image]) => image)).toEqual(
    Array.from({ length: 3 }, () => `coupon-issuing:${version}`),
  );
  expect(text).toContain(`name: coupon-migrate-${version}`);
  expect(text).not.toContain('coupon-release');
});

test.skipIf(kubectl === undefined)(
  'a changed setting restarts the pods: the name of the settings changes with them',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'coupon-manifests-'));
    try {
      cpSync(join(root, 'deploy/kubernetes'), folder, { recursive: true });
      const namesIn = (text: string) => new Set([...text.matchAll(/\bcoupon-settings-\w+/g)].map(([name]) => name));
      const before = namesIn(await build(folder));
      const file = join(folder, 'settings.env');
      writeFileSync(file, readFileSync(file, 'utf8').replace('AUTH=on', 'AUTH=off'));
      const after = namesIn(await build(folder));
      // One for the ConfigMap and for both that refer to it.
      expect([before.size, after.size, [...before].some((name) => after.has(name))]).toEqual([1, 1, false]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);
