import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fleet } from '../../../scripts/dashboards/fleet.js';
import { job } from '../../../scripts/dashboards/job.js';
import { toGrafana } from '../../../scripts/dashboards/panels.js';
import { expressionsOfRules } from '../../support/prometheus/named-metrics.js';
import { parse } from 'yaml';

const DIRECTORY = 'deploy/prometheus';

function promtool(...args: string[]): string {
  return execFileSync('promtool', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], cwd: DIRECTORY });
}

describe('the scrape configurations', () => {
  it.each(readdirSync(DIRECTORY).filter((file) => !file.startsWith('alerts')))('%s is taken by promtool', (file) => {
    expect(promtool('check', 'config', file)).toContain('SUCCESS');
  });
});

describe('the alert rules', () => {
  it('are taken by promtool', () => {
    expect(promtool('check', 'rules', 'alerts.yml')).toContain('SUCCESS');
  });

  it('fire when they should, and not before, says promtool', () => {
    expect(promtool('test', 'rules', 'alerts.test.yml')).toContain('SUCCESS');
  });

  it('each have a test in which they fire', () => {
    const rules = parse(readFileSync(`${DIRECTORY}/alerts.yml`, 'utf8')) as {
      groups: { rules: { alert: string }[] }[];
    };
    const tested = readFileSync(`${DIRECTORY}/alerts.test.yml`, 'utf8');

    for (const { alert } of rules.groups.flatMap((group) => group.rules))
      expect(tested).toMatch(new RegExp(`alertname: ${alert}\\n +exp_alerts:\\n`));
    expect(expressionsOfRules(`${DIRECTORY}/alerts.yml`).length).toBeGreaterThan(5);
  });
});

describe('the dashboards', () => {
  it.each([fleet, job])('$uid.json is what the code writes', (dashboard) => {
    const written: unknown = JSON.parse(readFileSync(`deploy/grafana/${dashboard.uid}.json`, 'utf8'));

    expect(written).toEqual(toGrafana(dashboard));
  });

  it('count each machine once, whatever labels its target has and whichever worker is chosen', () => {
    const expressions = [fleet, job].flatMap(({ rows }) =>
      rows.flatMap(({ panels }) => panels.flatMap(({ queries }) => queries.map(({ expr }) => expr))),
    );
    const ofMachines = expressions.filter((expr) => expr.includes('holdfast_machine_'));

    expect(ofMachines.length).toBeGreaterThan(5);
    for (const expr of ofMachines) {
      expect(expr).toContain('max by (machine) (');
      expect(expr).not.toContain('instance');
    }
  });
});
