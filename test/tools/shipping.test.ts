// What is shipped and wants a container engine (image, compose file, manifests, workflow) is read, and held against what it names: settings,
// files, commands, ports, services, versions. That the image holds all that its processes import is tried with a copy of what goes in.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { cpSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import manifest from '../../package.json' with { type: 'json' };
import { secretSettings } from '../../src/config/environment.ts';
import { settings } from '../../src/config/settings.ts';
import { info } from '../../src/http/document/openapi.ts';
import { freePort } from '../../tools/stack/free-port.ts';
import { problemText } from '../../src/http/problem.ts';
import { type ProblemCode, problems } from '../../src/http/document/problems.ts';

type Tree = Readonly<Record<string, unknown>>;

const root = resolve(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const parse = (path: string): Tree => asTree(Bun.YAML.parse(read(path)));
const unknownSettings = (names: readonly string[]): string[] =>
  names.filter((name) => !(name in settings.properties || secretSettings.includes(name.replace(/_FILE$/, ''))));

const entries = [
  'src/server.ts',
  'workers/worker.ts',
  'src/commands/migrate.ts',
  'src/commands/keys.ts',
  'src/commands/dead-letters.ts',
  'src/commands/detach.ts',
  'src/commands/preflight.ts',
  'src/commands/reconcile.ts',
  'src/commands/archive.ts',
  'src/commands/partitions.ts',
  'src/commands/erase.ts',
  'src/commands/find-user.ts',
];

describe('the version', () => {
  test('is the same in package, document, changelog and manifests', () => {
    const { version } = manifest;
    expect(info.version).toBe(version);
    expect(/^## \[(\d.*?)\]/m.exec(read('CHANGELOG.md'))?.[1]).toBe(version);
    expect(literalsOf('coupon-release')).toEqual({ version });
    // Kustomize puts it wherever a manifest needs it.
    expect(textsAt(kustomization, 'newTag')).toEqual([]);
    const elsewhere = globSync('deploy/kubernetes*/*.yaml', { cwd: root }).filter((path) =>
      read(path).includes(version),
    );
    expect(elsewhere).toEqual(['deploy/kubernetes/kustomization.yaml']);
  });

  test('rises with every migration: its minor number is that of the newest one', () => {
    const journal = asTree(JSON.parse(read('drizzle/migrations/meta/_journal.json')));
    const newest = Number(textsAt(journal, 'tag').at(-1)?.slice(0, 4));
    const [, minor] = manifest.version.split('.');
    const cure = `put 0.${newest}.0 into package.json and CHANGELOG.md, and run \`bun run docs\``;
    expect(Number(minor), cure).toBe(newest);
  });

  test('of Bun is the one that the types are pinned to, in the image as in the workflow', () => {
    const pinned = manifest.devDependencies['bun-types'];
    expect(/^ARG BUN_VERSION=(.*)$/m.exec(dockerfile)?.[1]).toBe(pinned);
    for (const [, named] of read(workflowPath).matchAll(/bun@([\d.]+)/g)) expect(named).toBe(pinned);
  });
});

const dockerfile = read('Dockerfile');

describe('the image', () => {
  const folder = mkdtempSync(join(tmpdir(), 'coupon-image-'));
  beforeAll(() => {
    for (const path of shippedPaths()) cpSync(join(root, path), join(folder, path), { recursive: true });
    for (const path of excludedPaths()) rmSync(join(folder, path), { recursive: true, force: true });
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(entries)('%s starts with the files of the image, and names the missing settings', async (entry) => {
    const args = /keys|dead/.test(entry)
      ? ['list']
      : /find-user/.test(entry)
        ? ['kim']
        : /reconcile|archive|preflight/.test(entry)
          ? ['--coupon', '1']
          : /partitions|erase/.test(entry)
            ? ['8']
            : [];
    const child = Bun.spawn([process.execPath, entry, ...args], {
      cwd: folder,
      env: { PATH: process.env['PATH'] ?? '' },
      stdout: 'ignore',
      stderr: 'pipe',
    });
    expect(await new Response(child.stderr).text()).toMatch(/(DATABASE_URL|REDIS_URL|REQUEST_LOG_SECRET) is not set/);
    expect(await child.exited).toBe(1);
  });

  test('builds the pages from what is in it', async () => {
    const child = Bun.spawn([process.execPath, 'src/commands/build-pages.ts'], {
      cwd: folder,
      stdout: 'ignore',
      stderr: 'pipe',
    });
    expect(await new Response(child.stderr).text()).toBe('');
    expect(await child.exited).toBe(0);
    expect(globSync('dist/pages/*.html', { cwd: folder })).toHaveLength(2);
  });

  test('holds neither tests nor tools of developers nor settings', () => {
    expect(globSync('{test,bench,monitoring,tools/stack,.env*,.git,docs}', { cwd: folder })).toEqual([]);
    expect(read('.dockerignore').split('\n')).toContain('*');
  });

  test('leaves out of its packages what only editors and debuggers read', async () => {
    const [, command = ''] = /&& \\\n {4}(find node_modules [^\n]*)/.exec(dockerfile) ?? [];
    const packages = mkdtempSync(join(tmpdir(), 'coupon-packages-'));
    const files = ['a.js', 'a.js.map', 'a.d.ts', 'a.d.mts', 'a.d.cts', 'a.ts', 'README.md', 'a.json', 'a.css'];
    for (const file of files) await Bun.write(join(packages, 'node_modules/one', file), '');
    expect(await Bun.spawn(['bash', '-c', command], { cwd: packages }).exited).toBe(0);
    const left = globSync('node_modules/one/*', { cwd: packages }).map((path) => basename(path));
    rmSync(packages, { recursive: true });
    expect(left.toSorted()).toEqual(['a.css', 'a.js', 'a.json', 'a.ts']);
  });

  test('is pinned, does not run as root, has a health check, and runs an entry that is there', () => {
    const stages = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image);
    expect(stages.length).toBeGreaterThan(1);
    expect(stages.filter((image) => image !== 'oven/bun:${BUN_VERSION}-slim${BUN_DIGEST}')).toEqual([]);
    const run = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));
    expect(/^USER (\d+):\d+$/m.exec(run)?.[1]).toBe('1000');
    const command = /^CMD (.*)$/m.exec(run)?.[1] ?? '';
    expect(faultsOfCommand(asTexts(JSON.parse(command)))).toEqual([]);
    expect(unknownSettings([...run.matchAll(/\b(\w*PORT)\b/g)].map(([, name]) => name ?? ''))).toEqual([]);
  });

  test('is healthy as long as API or worker answers, and not when neither does', async () => {
    const check = asTexts(JSON.parse(/^ {2}CMD (.*)$/m.exec(dockerfile)?.[1] ?? '[]'));
    // No runtime is started for it, every few seconds.
    expect(check.slice(0, 2)).toEqual(['bash', '-c']);
    const alive = Bun.serve({ port: 0, fetch: () => new Response('alive') });
    const deaf = Bun.serve({ port: 0, fetch: () => new Response('', { status: 500 }) });
    const closed = await freePort();
    const run = async (port: number, workerPort: number): Promise<number> => {
      const env = { PATH: process.env['PATH'] ?? '', PORT: String(port), WORKER_PORT: String(workerPort) };
      return await Bun.spawn(check, { env, stderr: 'ignore' }).exited;
    };
    try {
      const [yes, no] = [alive.port ?? 0, deaf.port ?? 0];
      const codes = await Promise.all([run(yes, no), run(no, yes), run(closed, yes), run(no, no), run(closed, closed)]);
      expect(codes).toEqual([0, 0, 0, 1, 1]);
    } finally {
      await Promise.all([alive.stop(true), deaf.stop(true)]);
    }
  });
});

describe('the compose file', () => {
  const compose = parse('compose.yaml');
  const services = Object.entries(asTree(compose['services'])).map(([name, service]) => ({
    name,
    service: asTree(service),
  }));
  const names = services.map(({ name }) => name);
  const ours = services.filter(({ service }) => String(service['image']).startsWith('coupon-issuing:'));

  test('runs two APIs, a worker and the migration by commands that are there, under settings that there are', () => {
    expect(ours.map(({ name }) => name)).toEqual(['api-1', 'api-2', 'worker', 'migrate']);
    for (const { service } of ours) {
      expect(faultsOfCommand(asTexts(service['command']))).toEqual([]);
      expect(unknownSettings(Object.keys(asTree(service['environment'])))).toEqual([]);
      expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'], init: true });
    }
  });

  test('pins third-party images by digest, listens on loopback alone, and mounts files that are there', () => {
    for (const { service } of services) {
      expect(String(service['image'])).toMatch(/^coupon-issuing:|:v?\d+\.\d+[\w.-]*@sha256:[0-9a-f]{64}$/);
      for (const port of asTexts(service['ports'] ?? [])) expect(port).toStartWith('127.0.0.1:');
      const mounted = asTexts(service['volumes'] ?? []).map((volume) => volume.split(':')[0] ?? '');
      const volumes = Object.keys(asTree(compose['volumes']));
      expect(mounted.filter((path) => !volumes.includes(path) && !existsSync(join(root, path)))).toEqual([]);
    }
  });

  test('waits for services that there are, and keeps Redis and MySQL durable', () => {
    for (const { service } of services) {
      const needed = service['depends_on'] ?? [];
      const listed = Array.isArray(needed) ? asTexts(needed) : Object.keys(asTree(needed));
      expect(listed.filter((name) => !names.includes(name))).toEqual([]);
    }
    const commandOf = (name: string): string =>
      asTexts(services.find((each) => each.name === name)?.service['command']).join(' ');
    expect(commandOf('redis')).toBe('sh /etc/redis/redis.sh');
    expect(read('deploy/compose/redis.sh')).toContain('--appendonly yes --appendfsync always');
    expect(commandOf('mysql')).toContain('--innodb-flush-log-at-trx-commit=1');
  });

  test('holds no secret: each comes from outside, and without it the start ends', () => {
    const secrets = [...read('compose.yaml').matchAll(/(?:PASSWORD|ADMIN_API_KEY): (.*)$/gm)].map(([, value]) => value);
    expect(secrets.length).toBeGreaterThan(4);
    expect(secrets.filter((value) => !/^'?\$\{\w+:\?.+\}'?$/.test(value ?? ''))).toEqual([]);
  });

  test('proxy and Prometheus use the ports on which the services listen', () => {
    const listening = [
      ...ours.flatMap(({ name, service }) =>
        Object.entries(asTree(service['environment']))
          .filter(([setting]) => setting.endsWith('PORT'))
          .map(([, port]) => `${name}:${String(port)}`),
      ),
      ...['redis-exporter:9121', 'mysqld-exporter:9104', 'alertmanager:9093'].filter((address) =>
        names.includes(address.split(':')[0] ?? ''),
      ),
    ];
    const proxied = [...read('deploy/compose/nginx.conf').matchAll(/^ {4}server (\S+) /gm)].map(([, to]) => to ?? '');
    expect(proxied).toEqual(['api-1:3000', 'api-2:3000']);
    const scraped = textsAt(parse('deploy/compose/prometheus.yml'), 'targets');
    expect([...proxied, ...scraped].filter((address) => !listening.includes(address))).toEqual([]);
    for (const address of ['api-1:3002', 'api-2:3002', 'worker:3001']) expect(scraped).toContain(address);
  });

  test('its limit of streams lies above what the APIs give an address without tokens, and below what they have', () => {
    const [, limit] = /limit_conn streams (\d+);/.exec(read('deploy/compose/proxy.conf')) ?? [];
    const { LISTENERS_PER_ADDRESS_MAX: ofAddress, LISTENERS_MAX: ofAll } = settings.properties;
    expect(Number(limit)).toBeGreaterThan(2 * ofAddress.default);
    expect(Number(limit)).toBeLessThan(2 * ofAll.default);
  });

  test('every error of the proxy itself is a problem document, as an API would answer', () => {
    const text = read('deploy/compose/proxy.conf');
    const answers = [...text.matchAll(/return (\d+) '(.*)';$/gm)];
    expect(answers.length).toBeGreaterThan(6);
    for (const [, status, answer = ''] of answers) {
      const { code, detail } = JSON.parse(answer) as { code: ProblemCode; detail: string };
      const expected = problemText(code, detail, { requestId: '$named_request' });
      expect([status, answer]).toEqual([String(problems[code].status), expected]);
    }
    const statuses = [...text.matchAll(/^error_page ([\d ]+) =(\d+) (\S+);$/gm)];
    for (const [, , status, page] of statuses) expect(text).toMatch(new RegExp(`${page} {[^}]*return ${status} `));
    const covered = statuses.flatMap(([, errors = '']) => errors.split(' '));
    const own = [
      400, 403, 404, 405, 408, 411, 413, 414, 421, 429, 431, 494, 495, 496, 497, 500, 501, 502, 503, 504, 505,
    ];
    expect(own.filter((status) => !covered.includes(String(status)))).toEqual([]);
  });

  test('every setting of .env reaches the processes that read it, but for those that the file itself decides', () => {
    const decided = ['HOST', 'PORT', 'REUSE_PORT', 'WORKER_PORT', 'METRICS_PORT', 'KEY_PREFIX', 'WORKER_NAME'];
    // Its own stores speak no TLS.
    const stores = /^(DATABASE|REDIS)_(URL|CA|CERT|KEY)$|^SENTINEL_PASSWORD$/;
    const variables = Object.keys(settings.properties).filter((name) => !decided.includes(name) && !stores.test(name));
    const environmentOf = (name: string) => asTree(services.find((each) => each.name === name)?.service['environment']);
    for (const api of ['api-1', 'api-2']) {
      const given = environmentOf(api);
      // The key of operators is required as a value.
      const files = secretSettings.filter((name) => !stores.test(name) && name !== 'ADMIN_API_KEY');
      const expected = [...variables, ...files.map((name) => `${name}_FILE`)];
      expect(expected.filter((name) => !String(given[name]).startsWith(`\${${name}:`))).toEqual([]);
    }
    const access =
      /^(JWT|CAPTCHA|USER|ADDRESS|LIMIT|CORS|FRAME|DROP|URL|KEYS|KEEP)_|^LIMITED_|^WRONG_CODES_|^TRUSTED_|^ADMIN_API_KEY$|^AUTH$|^REQUEST_LOG|^SERVER_TIMING$/;
    const worker = environmentOf('worker');
    expect(variables.filter((name) => !access.test(name) && !(name in worker))).toEqual([]);
  });

  test('the one for monitoring runs commands that are there, each by Bun itself, so that SIGTERM reaches it', () => {
    const built = Object.values(asTree(parse('monitoring/compose.yaml')['services']))
      .map(asTree)
      .filter(({ build }) => build !== undefined);
    expect(built).toHaveLength(3);
    for (const { command } of built) expect(faultsOfCommand(asTexts(command))).toEqual([]);
  });

  test('Prometheus has the jobs that the rules are written for', () => {
    const jobs = (path: string): string[] => textsAt(parse(path), 'job_name');
    expect(jobs('deploy/compose/prometheus.yml')).toEqual(jobs('monitoring/prometheus.yml'));
  });
});

const manifestFolder = 'deploy/kubernetes';
const kustomization = parse(`${manifestFolder}/kustomization.yaml`);
const objects = asTexts(kustomization['resources']).flatMap((file) =>
  read(`${manifestFolder}/${file}`)
    .split(/^---$/m)
    .map((text) => asTree(Bun.YAML.parse(text))),
);
/** What API, worker and migration share: Kustomize makes a ConfigMap of it. */
const sharedSettings = Object.fromEntries(
  [...read(`${manifestFolder}/settings.env`).matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [
    name ?? '',
    value,
  ]),
);
const workloads = objects.filter(({ kind }) => kind === 'Deployment' || kind === 'Job');

describe('the manifests', () => {
  test('every file is used, or is meant for another tool', () => {
    const files = globSync('*.yaml', { cwd: join(root, manifestFolder) });
    const used = ['kustomization.yaml', 'adapter-rules.yaml', ...asTexts(kustomization['resources'])];
    expect(files.toSorted()).toEqual(used.toSorted());
    expect(globSync('*.env', { cwd: join(root, manifestFolder) })).toEqual(['settings.env']);
  });

  test('workloads run commands that are there, under settings that there are', () => {
    expect(workloads.map(nameOf)).toHaveLength(3);
    for (const workload of workloads) {
      const container = containerOf(workload);
      expect(faultsOfCommand(asTexts(container['command']))).toEqual([]);
      expect(unknownSettings(asTrees(container['env']).map(({ name }) => String(name)))).toEqual([]);
    }
    expect(unknownSettings(Object.keys(sharedSettings))).toEqual([]);
  });

  test('what holds a secret is named and never held', () => {
    expect(objects.filter(({ kind }) => kind === 'Secret')).toEqual([]);
    for (const workload of workloads) {
      for (const variable of asTrees(containerOf(workload)['env'])) {
        expect(variable['value']).toBeUndefined();
        expect(variable['valueFrom']).toBeDefined();
      }
    }
  });

  test('no workload runs as root, writes to its disk, or has rights in the cluster; all are bounded', () => {
    for (const workload of workloads) {
      expect(podOf(workload)).toMatchObject({
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      });
      expect(containerOf(workload)).toMatchObject({
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
      });
      const { requests, limits } = asTree(containerOf(workload)['resources']);
      expect(Object.keys(asTree(requests))).toEqual(['cpu', 'memory']);
      expect(Object.keys(asTree(limits))).toEqual(['memory']);
    }
  });

  test('the ports of containers are those of the settings, and probes, service and policy name ports that there are', () => {
    const portsOf = (name: string): unknown => containerOf(byName(name, 'Deployment'))['ports'];
    expect(portsOf('coupon-api')).toEqual([
      { name: 'http', containerPort: Number(sharedSettings['PORT']) },
      { name: 'metrics', containerPort: Number(sharedSettings['METRICS_PORT']) },
    ]);
    expect(portsOf('coupon-worker')).toEqual([
      { name: 'metrics', containerPort: Number(sharedSettings['WORKER_PORT']) },
    ]);
    for (const workload of workloads.filter(({ kind }) => kind === 'Deployment')) {
      const container = containerOf(workload);
      const named = asTrees(container['ports']).map(({ name }) => String(name));
      const probes = ['startupProbe', 'readinessProbe', 'livenessProbe'].flatMap((probe) => container[probe] ?? []);
      expect(probes.length).toBeGreaterThan(1);
      expect(textsAt(probes, 'port').filter((port) => !named.includes(port))).toEqual([]);
    }
    expect(textsAt(byName('coupon-api', 'Service'), 'targetPort')).toEqual(['http']);
    expect(textsAt(byName('coupon-incoming', 'NetworkPolicy'), 'port')).toEqual(['http', 'metrics']);
  });

  test('a pod has more time to go than it needs to answer what it accepted', () => {
    for (const name of ['coupon-api', 'coupon-worker']) {
      const workload = byName(name, 'Deployment');
      const graceMs = Number(podOf(workload)['terminationGracePeriodSeconds']) * 1000;
      const pauseMs =
        name === 'coupon-api' ? Number(textsAt(containerOf(workload)['lifecycle'], 'command')[1]) * 1000 : 0;
      expect(graceMs).toBeGreaterThan(Number(sharedSettings['SHUTDOWN_MS_MAX']) + pauseMs);
    }
  });

  test('the ingress leads to the service, by the limits of the proxy', () => {
    for (const name of ['coupon-api', 'coupon-codes-import']) {
      const ingress = byName(name, 'Ingress');
      expect(textsAt(ingress, 'name').slice(-2)).toEqual(['coupon-api', 'http']);
      const annotations = asTree(asTree(ingress['metadata'])['annotations']);
      const limit = name === 'coupon-api' ? read('deploy/compose/nginx.conf') : read('deploy/compose/proxy.conf');
      const bytes = String(annotations['nginx.ingress.kubernetes.io/proxy-body-size']);
      expect(limit).toContain(`client_max_body_size ${bytes};`);
      expect(annotations['nginx.ingress.kubernetes.io/proxy-next-upstream']).toBe('off');
    }
  });

  test('selectors, budgets and autoscalers select existing pods', () => {
    for (const name of ['coupon-api', 'coupon-worker']) {
      const labels = asTree(
        asTree(asTree(asTree(byName(name, 'Deployment')['spec'])['template'])['metadata'])['labels'],
      );
      for (const kind of ['Deployment', 'PodDisruptionBudget']) {
        expect(asTree(asTree(byName(name, kind)['spec'])['selector'])['matchLabels']).toEqual(labels);
      }
      const scaled = asTree(asTree(byName(name, 'HorizontalPodAutoscaler')['spec'])['scaleTargetRef']);
      expect(scaled).toEqual({ apiVersion: 'apps/v1', kind: 'Deployment', name });
    }
  });

  test('workers are scaled by a backlog that is measured, up to the number of partitions', () => {
    const { spec } = byName('coupon-worker', 'HorizontalPodAutoscaler');
    expect(asTree(spec)['maxReplicas']).toBe(Number(sharedSettings['PARTITIONS']));
    const metric = backlogName(spec);
    expect(read('monitoring/README.md')).toContain(`\`${metric}\` | gauge`);
    expect(read(`${manifestFolder}/adapter-rules.yaml`)).toContain(`as: ${metric}`);
  });
});

const workflowPath = '.github/workflows/check.yml';

describe('the workflow', () => {
  const workflow = parse(workflowPath);
  const jobs = Object.values(asTree(workflow['jobs'])).map(asTree);

  test('may only read, ends by itself, and uses nothing that can be moved', () => {
    expect(workflow['permissions']).toEqual({ contents: 'read' });
    for (const job of jobs) expect(job['timeout-minutes']).toBeNumber();
    const used = textsAt(workflow, 'uses');
    expect(used.length).toBeGreaterThan(2);
    expect(used.filter((action) => !/^[\w-]+\/[\w-]+@[0-9a-f]{40}$/.test(action))).toEqual([]);
  });

  test('checks on both database servers, by the command that developers use', () => {
    const check = jobs.find((job) => textsAt(job, 'run').includes('.ci/run'));
    for (const server of ['mariadb:10.11', 'mysql:8.4']) expect(textsAt(check, 'database')).toContain(server);
    expect(existsSync(join(root, '.ci/run'))).toBe(true);
  });
});

describe('the guides', () => {
  const pages = globSync(['*.md', '{bench,deploy,docs,monitoring}/*.md'], { cwd: root });

  test.each(pages)('%s names files that are there', (page) => {
    const named = [...read(page).matchAll(/`((?:src|test|web|workers|deploy|docs|bench|monitoring)\/[\w./-]+)`/g)];
    expect(named.map(([, path]) => path ?? '').filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  test.each(pages)('%s names tests that there are', (page) => {
    expect(missingTestsIn(read(page))).toEqual([]);
  });

  test('a test that is not there would be noticed, and one whose file is not there', () => {
    const file = 'test/tools/shipping.test.ts';
    const named = `\`${file}\`: "%s names tests that there are", "is not there"; \`test/none.ts\`: "is not there either"`;
    expect(missingTestsIn(named)).toEqual([`${file}: is not there`, 'test/none.ts: is not there either']);
    // Else nothing might be looked for.
    expect(testsNamedIn(read('docs/security.md')).length).toBeGreaterThan(20);
  });

  test.each(pages)('%s names commands and settings that there are', (page) => {
    const text = read(page);
    const commands = [...text.matchAll(/bun run ([a-z][a-z:0-9-]*)/g)].map(([, name]) => name ?? '');
    expect(commands.filter((name) => !(name in manifest.scripts))).toEqual([]);
    const set = [...text.matchAll(/`([A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`/g)].map(([, name]) => name ?? '');
    expect(set.filter((name) => !knownNames.has(name))).toEqual([]);
  });
});

/** Tests that a text names by file and title: `test/a.test.ts`: "one", "another". */
function testsNamedIn(text: string): { readonly file: string; readonly title: string }[] {
  return [...text.matchAll(/`(test\/[\w./-]+)`: ("[^"]+"(?:, "[^"]+")*)/g)].flatMap(([, file = '', titles = '']) =>
    [...titles.matchAll(/"([^"]+)"/g)].map(([, title = '']) => ({ file, title })),
  );
}

/** Those of them that are no title of a test, or of a row of a table of tests, in their file. */
function missingTestsIn(text: string): string[] {
  return testsNamedIn(text)
    .filter(({ file, title }) => {
      // A long title stands in a line of its own.
      const source = existsSync(join(root, file)) ? read(file).replaceAll(/\(\s+'/g, "('") : '';
      return !['(', 'name: '].some((before) => source.includes(`${before}'${title}'`));
    })
    .map(({ file, title }) => `${file}: ${title}`);
}

/** Settings, codes of problems, and names of others that guides may speak of. */
const knownNames = new Set([
  ...Object.keys(settings.properties),
  ...secretSettings.map((name) => `${name}_FILE`),
  ...(read('src/http/document/problems.ts').match(/\b[A-Z]+(?:_[A-Z]+)+\b/g) ?? []),
  'TEST_REDIS_URL',
  'TEST_REDIS',
  'TEST_DATABASE_URL',
  'TEST_SIMULATION_S',
  'TEST_FUZZER_S',
  'NODE_EXTRA_CA_CERTS',
  'HTTPS_PROXY',
  'NO_PROXY',
  'TCP_USER_TIMEOUT',
  'GET_LOCK',
  'RELEASE_LOCK',
  'REDIS_MAXMEMORY',
  'MYSQL_PASSWORD',
  'MYSQL_ROOT_PASSWORD',
  'GRAFANA_PASSWORD',
  'PROMETHEUS_URL',
  'METRICS_URL',
  'USER_ID_PREFIX',
  'REDIS_PASSWORD',
  'REDIS_EXPORTER_PASSWORD',
  'MYSQL_EXPORTER_PASSWORD',
  'TLS_FOLDER',
  'VIRTUAL_USERS',
  'COUPON_URL',
  'COUPON_KEY',
]);

/** The literals of a generated ConfigMap. */
function literalsOf(name: string): Tree {
  const generator = asTrees(kustomization['configMapGenerator']).find((each) => each['name'] === name);
  return Object.fromEntries(asTexts(generator?.['literals']).map((text) => text.split('=') as [string, string]));
}

function backlogName(spec: unknown): string {
  return String(asTree(asTree(asTree(asTrees(asTree(spec)['metrics'])[0])['external'])['metric'])['name']);
}

/** What .dockerignore lets in, as far as it is there. */
function shippedPaths(): string[] {
  return patterns()
    .flatMap((line) => (line.startsWith('!') ? [line.slice(1)] : []))
    .filter((path) => existsSync(join(root, path)));
}

/** What .dockerignore keeps out of what it lets in. */
function excludedPaths(): string[] {
  return patterns().filter((line) => /^\w/.test(line));
}

function patterns(): string[] {
  return read('.dockerignore')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/** What is wrong with a command of a container: it must be Bun with an entry that is in the image. */
function faultsOfCommand(command: readonly string[]): string[] {
  const [program, entry = '', ...rest] = command;
  return program === 'bun' && entries.includes(entry) && rest.length === 0 && existsSync(join(root, entry))
    ? []
    : [command.join(' ')];
}

function byName(name: string, kind: string): Tree {
  const found = objects.find((each) => each['kind'] === kind && nameOf(each) === name);
  if (!found) throw new Error(`there is no ${kind} ${name}`);
  return found;
}

function nameOf(object: Tree): string {
  return String(asTree(object['metadata'])['name']);
}

function podOf(workload: Tree): Tree {
  return asTree(asTree(asTree(workload['spec'])['template'])['spec']);
}

function containerOf(workload: Tree): Tree {
  return asTree(asTrees(podOf(workload)['containers'])[0]);
}

/** Every text or number under this key, at any depth. */
function textsAt(value: unknown, key: string): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => textsAt(item, key));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const here = name === key ? [inner].flat(9).filter((item) => typeof item !== 'object') : [];
    return [...here.map(String), ...textsAt(inner, key)];
  });
}

function asTree(value: unknown): Tree {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error(`expected names with values, and read ${JSON.stringify(value)}`);
  }
  return value as Tree;
}

function asTrees(value: unknown): Tree[] {
  if (!Array.isArray(value)) throw new Error(`expected a list, and read ${JSON.stringify(value)}`);
  return value.map(asTree);
}

function asTexts(value: unknown): string[] {
  if (!Array.isArray(value)) throw new Error(`expected a list, and read ${JSON.stringify(value)}`);
  return value.map(String);
}
