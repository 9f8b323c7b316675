// `npm run demo`: starts "holdfast dev", runs a real build through the Temporal client, follows its trace, shows its graphs, and
// leaves everything running until Ctrl-C. `--once` ends it with the job's exit code; `--ports` goes to "holdfast dev".
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { exitCodeOf } from '../dist/cli/exit-codes.js';
import { createHoldfastClient } from '../dist/client.js';
import { loadConfig } from '../dist/config/load.js';
import { runningDev } from '../dist/dev/dev-state.js';
import { readJobFile } from '../dist/job/parse-yaml.js';

/** Carries SQLite's amalgamation, 9 MB of C, under deps/sqlite3. */
const SOURCES = 'better-sqlite3@11.10.0';
const CPU = 'rate(holdfast_machine_cpu_seconds_total[5s])';
const METRICS_WAIT_MS = 30_000;
const SCRAPE_WAIT_MS = 10_000;
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BIN = join(ROOT, 'bin/holdfast');
const DIRECTORY = join(ROOT, '.holdfast/demo');

process.chdir(ROOT);
const { values: options } = parseArgs({ options: { once: { type: 'boolean' }, ports: { type: 'string' } } });
const code = await main().catch((error) => {
  say(`demo: ${error.message}`);
  return 70;
});
// After Ctrl-C the client may still be asking a Temporal that is gone: it would do so for another 20 s.
process.exit(code);

async function main() {
  prepareSources();
  const dev = startDev();
  try {
    const stack = await untilRunning(dev);
    await untilScraped(stack);
    const code = await Promise.race([runJob(stack), dev.interrupted]);
    if (options.once || code === undefined) return code ?? 130;
    say('\n"holdfast dev" goes on running. In another terminal, in this directory:');
    // A configuration of the user's own outranks the running stack.
    const config = existsSync('holdfast.yaml') ? ` --config ${relative(ROOT, stack.configFile)}` : '';
    say(`  bin/holdfast jobs${config}                       what ran`);
    say(`  bin/holdfast run scripts/demo/job.yml${config}   again`);
    say('Ctrl-C stops it.');
    await Promise.race([dev.interrupted, dev.ended]);
    return code;
  } finally {
    await dev.stop();
  }
}

/** Through npm itself: whoever could install this project can reach these sources. */
function prepareSources() {
  const sources = join(DIRECTORY, 'sources.tgz');
  mkdirSync(DIRECTORY, { recursive: true });
  for (const name of ['query.c', 'work.sql']) copyFileSync(join(ROOT, 'scripts/demo', name), join(DIRECTORY, name));
  if (existsSync(sources)) return;
  say(`Downloading SQLite's sources (npm package ${SOURCES})`);
  const download = join(DIRECTORY, 'download');
  rmSync(download, { recursive: true, force: true });
  mkdirSync(download);
  const packed = spawnSync('npm', ['pack', SOURCES, '--json', '--loglevel=error', '--pack-destination', download], {
    encoding: 'utf8',
    timeout: 120_000,
  });
  if (packed.status !== 0) {
    const why = (packed.stderr || packed.error?.message || '').trim().split('\n').slice(-3).join('\n');
    throw new Error(`npm cannot download ${SOURCES}; is the npm registry in reach?\n${why}`);
  }
  renameSync(join(download, JSON.parse(packed.stdout)[0].filename), sources);
  rmSync(download, { recursive: true });
}

function startDev() {
  const configFile = join(DIRECTORY, 'holdfast.yaml');
  const host = process.env.DOCKER_HOST ? { docker: { host: process.env.DOCKER_HOST } } : {};
  // Not `local`: beside another stack on the same engine, each must know its own machines.
  const engine = { name: 'demo', ...host, volumes: [`${DIRECTORY}:/demo:ro`] };
  writeFileSync(configFile, stringify({ engines: [engine] }), { mode: 0o600 });
  const ports = options.ports === undefined ? [] : ['--ports', options.ports];
  // A group of its own: Ctrl-C must reach it once, from us.
  const child = spawn(process.execPath, [BIN, 'dev', '--config', configFile, ...ports], {
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  });
  const ended = new Promise((resolve_) => {
    child.once('exit', (code, signal) => resolve_(code ?? signal));
    child.once('error', (error) => resolve_(error.message));
  });
  const interrupted = new Promise((resolve_) => {
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => resolve_(undefined));
  });
  return {
    ended,
    interrupted,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await ended;
    },
  };
}

async function untilRunning(dev) {
  let over;
  void dev.ended.then((how) => (over = `"holdfast dev" has ended (${how}); see above`));
  void dev.interrupted.then(() => (over = 'interrupted'));
  for (;;) {
    const stack = runningDev(ROOT);
    if (over !== undefined) throw new Error(over);
    if (stack !== undefined) return stack;
    await delay(100);
  }
}

/** A Prometheus that has just started finds its targets within 5 s; the graphs of a job before that would lack their beginning. */
async function untilScraped({ prometheus }) {
  for (const deadline = Date.now() + SCRAPE_WAIT_MS; Date.now() < deadline; await delay(200)) {
    const answer = await fetch(`${prometheus}/api/v1/query?query=up`).then((response) => response.json());
    if (answer.data?.result.some(({ value }) => value[1] === '1')) return;
  }
}

async function runJob(stack) {
  const read = readJobFile(readFileSync('scripts/demo/job.yml', 'utf8'));
  if (!read.ok) throw new Error(`scripts/demo/job.yml: ${JSON.stringify(read.problems)}`);
  const { config } = loadConfig({ file: stack.configFile });
  const client = await createHoldfastClient(config);
  try {
    const job = await client.startJob(read.value);
    say(`\nJob ${job.workflowId}\n`);
    for await (const chunk of job.trace()) process.stdout.write(chunk);
    const result = await job.result();
    await untilCollected(job);
    say('');
    await show('metrics', job.id, '--config', stack.configFile);
    say(`\nThe job ended as ${result.state}.`);
    say(`its page        ${stack.web}/jobs/${job.workflowId}`);
    say(`its workflow    ${workflowPage(stack, config, job.workflowId)}`);
    say(`Prometheus      ${stack.prometheus}/graph?g0.expr=${encodeURIComponent(CPU)}&g0.tab=0&g0.range_input=10m`);
    say(`worker metrics  ${stack.workerMetrics}`);
    return exitCodeOf(result);
  } finally {
    await client.close();
  }
}

async function untilCollected(job) {
  for (const deadline = Date.now() + METRICS_WAIT_MS; Date.now() < deadline; await delay(200)) {
    if ((await job.status()).metrics !== 'pending') return;
  }
}

/** A command of ours, as a person would type it. */
async function show(...args) {
  const child = spawn(process.execPath, [BIN, ...args], { stdio: 'inherit' });
  await new Promise((resolve_) => child.once('close', resolve_));
}

function workflowPage(stack, config, workflowId) {
  return `${stack.temporalUi}/namespaces/${config.temporal.namespace}/workflows/${encodeURIComponent(workflowId)}`;
}

function say(text) {
  process.stderr.write(`${text}\n`);
}
