import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gitlabWorkflowId } from '../../../src/contracts/names.js';
import { startCoordinator, type TestCoordinator } from '../../support/coordinator/coordinator.js';
import type { CoordinatorJob } from '../../support/coordinator/job.js';
import { variable } from '../../support/coordinator/payload.js';
import { startGitServer, type GitServer } from '../../support/git-server.js';
import { until } from '../../support/processes.js';
import { startRegistry, type TestRegistry } from '../../support/registry.js';
import { docker, TEST_IMAGE } from '../../support/docker.js';
import { startStack, type Stack } from '../../support/stack.js';

/** Nothing else in the world holds these texts: wherever one is found, it has leaked. */
const secret = (name: string) => `${name}-${randomBytes(12).toString('hex')}`;
const SECRETS = {
  masked: secret('masked'),
  inFile: secret('infile'),
  plain: secret('plain'),
  registry: secret('registry'),
  git: secret('git'),
  idToken: `eyJ${secret('id')}.eyJ.sig`,
};

let coordinator: TestCoordinator;
let registry: TestRegistry;
let git: GitServer;
let stack: Stack;
let job: CoordinatorJob;
let failing: CoordinatorJob;

beforeAll(async () => {
  coordinator = await startCoordinator();
  registry = await startRegistry({ auth: { kind: 'token', username: 'ci', password: SECRETS.registry } });
  git = await startGitServer({ username: 'gitlab-ci-token', password: SECRETS.git, files: { 'file.txt': 'source\n' } });
  const entry = { name: 'main', url: coordinator.url, token: coordinator.runnerToken };
  stack = await startStack({ top: { gitlab: [entry], log: { level: 'debug' } } });
});

afterAll(async () => {
  await stack.close();
  await Promise.all([coordinator.close(), registry.close(), git.close()]);
});

/** Every secret of both jobs that may be nowhere in clear. */
function secrets(): Record<string, string> {
  return { ...SECRETS, jobToken: job.token, failingToken: failing.token, runnerToken: coordinator.runnerToken };
}

function leaksIn(text: string | Buffer, what: string): string[] {
  const bytes = Buffer.from(text);
  return Object.entries(secrets())
    .filter(([, value]) => bytes.includes(value))
    .map(([name]) => `${name} is in ${what}`);
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory, name))
    .filter((file) => statSync(file).isFile());
}

function variables() {
  return [
    variable('MASKED', SECRETS.masked, { masked: true, public: false }),
    variable('IN_FILE', SECRETS.inFile, { masked: true, file: true, public: false }),
    variable('PLAIN', SECRETS.plain, { public: false }),
    variable('ID_TOKEN', SECRETS.idToken, { masked: true, public: false }),
    variable('GIT_STRATEGY', 'clone'),
  ];
}

describe("a job's secrets", () => {
  it('do their work: registry, repository, service, script', async () => {
    job = coordinator.addJob(
      {
        image: { name: `${registry.host}/group/app:1`, pull_policy: [] },
        credentials: [{ type: 'registry', url: registry.host, username: 'ci', password: SECRETS.registry }],
        git_info: {
          repo_url: `${git.url.replace('//', `//gitlab-ci-token:${SECRETS.git}@`)}/group/project.git`,
          ref: 'main',
          sha: git.sha,
          refspecs: ['+refs/heads/main:refs/remotes/origin/main'],
          depth: 1,
        },
        services: [
          {
            name: TEST_IMAGE,
            alias: 'web',
            command: ['sh', '-c', 'echo "length ${#PASSWORD}" >/tmp/index.html; httpd -f -p 8000 -h /tmp'],
            variables: [variable('PASSWORD', '$MASKED')],
          },
        ],
        variables: variables(),
        script: [
          'cat file.txt .git/config',
          'echo "$MASKED $ID_TOKEN $CI_JOB_TOKEN"; cat "$IN_FILE"; echo',
          'echo ready >/shared/ready; until [ -e /shared/go ]; do sleep 0.2; done',
        ],
      },
      { forbidden: [SECRETS.masked, SECRETS.inFile, SECRETS.idToken, SECRETS.git, SECRETS.registry] },
    );
    failing = coordinator.addJob({
      // What cannot be made is told in words; they must not tell more than the log may.
      image: { name: 'holdfast/missing-$MASKED:1' },
      variables: [variable('MASKED', SECRETS.masked, { masked: true, public: false })],
    });
    await until('the waiting script', () => existsSync(join(stack.shared, 'ready')), 90_000);

    await until('its output at GitLab', () => job.trace.includes('[MASKED] [MASKED] [MASKED]'), 90_000);
    expect(job.trace.toString('utf8')).toContain('source\n');
    expect(git.refused).toBeLessThanOrEqual(1);
  });

  it('are in nothing that the engine shows of its containers, networks and volumes', () => {
    const mine = ['--filter', `label=holdfast.engine=${stack.engine}`];
    const containers = docker('ps', '-aq', '--no-trunc', ...mine);
    const networks = docker('network', 'ls', '-q', ...mine);
    const volumes = docker('volume', 'ls', '-q', ...mine);
    expect([containers.length >= 4, networks.length, volumes.length >= 1]).toEqual([true, 1, true]);

    const shown = [
      docker('inspect', ...containers).join('\n'),
      docker('network', 'inspect', ...networks).join('\n'),
      docker('volume', 'inspect', ...volumes).join('\n'),
      docker('ps', '-a', '--no-trunc', ...mine).join('\n'),
    ];
    expect(shown.flatMap((text) => leaksIn(text, 'docker inspect'))).toEqual([]);
    const running = docker('ps', '-q', ...mine);
    expect(
      running.flatMap((id) => leaksIn(docker('top', id, '-eo', 'pid,args').join('\n'), 'the arguments of a process')),
    ).toEqual([]);
  });

  it('are in no search attribute, memo or metric', async () => {
    const described = await Promise.all(
      [job, failing].map(({ id }) =>
        stack.client.temporal.workflow.getHandle(gitlabWorkflowId(new URL(coordinator.url).host, id)).describe(),
      ),
    );
    // What Temporal itself can read: the memo is sealed and is left out of it.
    const readable = described.map(({ typedSearchAttributes, raw }) => [
      JSON.stringify(typedSearchAttributes.getAll()),
      JSON.stringify(raw),
    ]);
    expect(leaksIn(JSON.stringify(readable), 'what Temporal shows')).toEqual([]);
    const metrics = await (await fetch(`${stack.metricsUrl}/metrics`)).text();
    const machines = await (await fetch(`${stack.metricsUrl}/sd/machines`)).text();
    expect(metrics).toContain('holdfast_jobs_total');
    expect(leaksIn(metrics + machines, 'the metrics')).toEqual([]);
  });

  it('are in no log of the worker, no database of Temporal and no file of the store, during and after', async () => {
    expect(leaksOnDisk()).toEqual([]);
    writeFileSync(join(stack.shared, 'go'), '');
    await Promise.all([coordinator.untilOver(job.id), coordinator.untilOver(failing.id)]);

    expect([job.status, failing.status]).toEqual(['success', 'failed']);
    expect(failing.trace.toString('utf8')).toMatch(/ERROR: Job failed: .*holdfast\/missing-\[MASKED\]/);
    expect(leaksOnDisk()).toEqual([]);
    expect(coordinator.violations).toEqual([]);
  });

  it('are in what the job printed only as [MASKED], and in no file of its repository', () => {
    const trace = job.trace.toString('utf8');

    expect(trace).toContain('[MASKED] [MASKED] [MASKED]');
    expect(trace).toContain(`url = ${git.url}/group/project.git`);
    expect(leaksIn(trace.replaceAll(SECRETS.plain, ''), 'the trace')).toEqual([]);
  });
});

/** Of looks in which a file was renamed or removed between being listed and being read. */
const MOST_TRIES = 50;

function leaksOnDisk(): string[] {
  for (let tries = 1; ; tries++) {
    try {
      return leaksInFiles();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || tries === MOST_TRIES) throw error;
    }
  }
}

function leaksInFiles(): string[] {
  const database = filesBelow(stack.directory).filter((file) => /temporal\.db/.test(file));
  const store = filesBelow(join(stack.directory, 'store'));
  const logs = filesBelow(stack.directory).filter((file) => file.endsWith('.log'));
  // They are where they are looked for.
  expect([database.length > 0, store.length > 2, logs.length > 1]).toEqual([true, true, true]);
  expect(statSync(join(stack.directory, 'worker.log')).size).toBeGreaterThan(1000);
  return [...database, ...store, ...logs].flatMap((file) => leaksIn(readFileSync(file), file));
}
