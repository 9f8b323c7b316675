import type { Command } from 'commander';
import { loadConfig } from '../config/load.js';
import type { Config } from '../config/schema.js';
import { describeOutage } from '../contracts/engine-outage.js';
import { VERSION } from '../version.js';
import { printJson, say, type CommonOptions } from './context.js';
import { EXIT, exitCodeOfError } from './exit-codes.js';

interface CheckResult {
  what: string;
  ok: boolean;
  detail: string;
  /** What a command would exit with that met it. */
  exitCode: number;
}

export function addCheck(program: Command): void {
  program
    .command('check')
    .description('validate the configuration and try every server that it names')
    .option('--json', 'print JSON')
    .option('--config <file>', 'configuration')
    .action(async (options: CommonOptions) => {
      const { config, file, warnings } = loadConfig({ file: options.config });
      for (const warning of warnings) say(`warning: ${warning}`);
      const results = await runChecks(config);
      if (options.json === true)
        printJson({
          config: file ?? null,
          ok: results.every(({ ok }) => ok),
          checks: results.map(({ what, ok, detail }) => ({ what, ok, detail })),
        });
      else {
        process.stdout.write(`ok      configuration  ${file ?? 'the embedded defaults'}\n`);
        for (const { what, ok, detail } of results)
          process.stdout.write(`${ok ? 'ok    ' : 'FAILED'}  ${what}  ${detail}\n`);
      }
      process.exitCode = exitCodeOfChecks(results);
    });
}

/** A mistake in the configuration is to be corrected first; whatever else fails is a server that cannot be used. */
export function exitCodeOfChecks(results: readonly Pick<CheckResult, 'ok' | 'exitCode'>[]): number {
  if (results.every(({ ok }) => ok)) return EXIT.success;
  return results.some(({ exitCode }) => exitCode === EXIT.usage) ? EXIT.usage : EXIT.unreachable;
}

async function runChecks(config: Config): Promise<CheckResult[]> {
  const { silentLogger } = await import('../telemetry/logger.js');
  const { createDockerEngine } = await import('../machines/docker/docker-engine.js');
  const { openStore } = await import('../store/open-store.js');
  const { createHoldfastClient } = await import('../client.js');
  return await Promise.all([
    attempt(`temporal ${config.temporal.address}`, async () => {
      const client = await createHoldfastClient(config);
      try {
        await client.listJobs({ limit: 1 });
      } finally {
        await client.close();
      }
      return 'answers; search attributes are registered';
    }),
    attempt('store', async () => {
      await (await openStore(config.store)).probe();
      return 'can be written';
    }),
    ...config.engines.map((settings) =>
      attempt(`engine ${settings.name}`, async () => {
        const { version, apiVersion } = await createDockerEngine({
          settings,
          installation: { id: 'check', origin: 'check' }, // it is only asked whether it answers
          logger: silentLogger,
        }).ping({});
        await assertInRotation(config, settings.name);
        return `Docker ${version}, API ${apiVersion}`;
      }),
    ),
    ...config.gitlab.map((entry) => attempt(`gitlab ${entry.name} ${entry.url}`, () => checkGitlab(config, entry))),
    ...(config.metrics.prometheusUrl === undefined
      ? []
      : [attempt(`prometheus ${config.metrics.prometheusUrl}`, () => checkPrometheus(config))]),
  ]);
}

/** @throws with the words of the workers that have taken the engine out */
async function assertInRotation(config: Config, engine: string): Promise<void> {
  const { openStore } = await import('../store/open-store.js');
  const { knownOutages } = await import('../client/waiting.js');
  const outages = await knownOutages(await openStore(config.store), { engine });
  if (outages.length > 0) throw new Error(`answers, but takes no jobs. ${outages.map(describeOutage).join(' ')}`);
}

/** Reachable, lets us in, and takes every query of the configuration. */
async function checkPrometheus(config: Config): Promise<string> {
  const { openPrometheus } = await import('../worker/metrics-parts.js');
  const { checkQueries } = await import('../metrics/check-queries.js');
  const { chooseQueries } = await import('../metrics/queries.js');
  const { toRules } = await import('../metrics/rules.js');
  const { queries } = chooseQueries(config.metrics);
  const rules = toRules(config.metrics.rules);
  const prometheus = openPrometheus(config);
  if (prometheus === undefined) return 'is not configured';
  try {
    await prometheus.ready();
    await checkQueries(prometheus, { queries, rules, stepMs: config.metrics.step });
  } finally {
    await prometheus.close();
  }
  return `is ready and accepts ${String(Object.keys(queries).length)} queries and ${String(rules.length)} rules`;
}

/** @throws with words for a person */
async function checkGitlab(config: Config, entry: Config['gitlab'][number]): Promise<string> {
  const { explainVerify } = await import('../gitlab/explain.js');
  const { loadSystemId } = await import('../gitlab/system-id.js');
  const { openStore } = await import('../store/open-store.js');
  const { openGitlabClient } = await import('../worker/gitlab/entries.js');
  if (!config.engines.some(({ pools }) => pools.includes(entry.pool)))
    throw new Error(`its pool "${entry.pool}" is none that an engine serves: it would take no jobs`);
  const systemId = await loadSystemId(await openStore(config.store));
  const client = openGitlabClient(entry, { systemId, revision: VERSION });
  try {
    const told = explainVerify(entry.url, await client.verify(), Date.now(), {
      renewed: entry.renewToken && entry.tokenFile !== undefined,
    });
    if (!told.ok) throw new Error(told.words);
    for (const warning of told.warnings) say(`warning: gitlab ${entry.name}: ${warning}`);
    return `${told.words}; system id ${systemId}`;
  } finally {
    await client.close();
  }
}

async function attempt(what: string, work: () => Promise<string>): Promise<CheckResult> {
  try {
    return { what, ok: true, detail: await work(), exitCode: EXIT.success };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return { what, ok: false, detail, exitCode: exitCodeOfError(error) };
  }
}
