import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseConfig } from '../../config/load.js';
import { factsOfEntry } from './entries.js';

const root = mkdtempSync(join(tmpdir(), 'holdfast-entries-'));

afterAll(() => rmSync(root, { recursive: true, force: true }));

function variablesOf(settings: object) {
  const entry = { name: 'main', url: 'https://gitlab.example', token: 'glrt-abcdefghijk', ...settings };
  const [parsed] = parseConfig({ gitlab: [entry] }, 'test').gitlab;
  if (parsed === undefined) throw new Error('One entry was configured');
  return factsOfEntry(parsed).environment ?? [];
}

describe('what an entry adds to its jobs', () => {
  it('is nothing that the runner says of every job', () => {
    const environment = { CI_PROJECT_DIR: '/x', CI_BUILDS_DIR: '/x', CI_JOB_STATUS: 'x', CI_JOB_IMAGE: 'x', OWN: 'x' };

    expect(variablesOf({ environment }).map(({ key }) => key)).toEqual([
      'CI_RUNNER_SHORT_TOKEN',
      'CI_JOB_IMAGE',
      'OWN',
    ]);
  });

  it('is what TLS with its GitLab takes, as files; the key is masked', () => {
    const pem = (name: string) => {
      writeFileSync(join(root, name), `content of ${name}`);
      return join(root, name);
    };
    const found = variablesOf({ ca: pem('ca'), cert: pem('cert'), key: pem('key') }).filter(({ file }) => file);

    expect(found).toMatchObject([
      { key: 'CI_SERVER_TLS_CA_FILE', value: 'content of ca', raw: true, public: false, masked: false },
      { key: 'CI_SERVER_TLS_CERT_FILE', value: 'content of cert', raw: true, public: false, masked: false },
      { key: 'CI_SERVER_TLS_KEY_FILE', value: 'content of key', raw: true, public: false, masked: true },
    ]);
  });
});
