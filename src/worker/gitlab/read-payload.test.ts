import { describe, expect, it } from 'vitest';
import { readPayload } from './read-payload.js';

const ENTRY = { name: 'main', url: 'https://gitlab.example', pool: 'default', outputLimitBytes: 4096 };

/** A job with some fields as text, since a hostile one is easier written than built. */
const read = (fields: string) => readPayload(Buffer.from(`{"id":4711,"token":"glcbt-x",${fields}}`), ENTRY);
const times = (count: number, text: string) => Array.from({ length: count }, () => text).join(',');

describe('a payload that would take a worker its time and memory', () => {
  const script = `{"name":"x","script":[${times(1_000, '0')}]}`;

  it.each([
    ['steps of wrong scripts', `"steps":[${times(2_000, script)}]`],
    ['services of wrong variables', `"services":[${times(1_000, `{"variables":[${times(1_000, '{}')}]}`)}]`],
    ['caches of wrong paths', `"cache":[${times(1_000, `{"paths":[${times(1_000, '[]')}]}`)}]`],
    ['empty objects', `"variables":[${times(3_000_000, '{}')}]`],
    ['nested lists', `"variables":${'['.repeat(5_000_000)}`],
    ['unknown fields', `${'"a":0,'.repeat(1_000_000)}"b":0`],
  ])('is refused unread and GitLab is told so: %s', (_name, fields) => {
    const payload = read(fields);

    expect(payload).toMatchObject({
      kind: 'refused',
      job: { id: 4711, token: 'glcbt-x' },
      reason: 'runner_system_failure',
    });
    expect(payload.kind === 'refused' && payload.message).toContain('larger than 250000 values');
  });

  it('is looked at up to its first wrong entries only', () => {
    const payload = read(`"steps":[${times(200, script)}],"variables":[${times(9_000, '{"key":0}')}]`);

    expect(payload).toMatchObject({
      kind: 'refused',
      message: expect.stringMatching(/\(variables\.0\.key: [^;]*; steps\.0\.script\.0: [^;]*\)$/),
    });
  });

  it('that does not even begin with whose it is, is nobody’s', () => {
    expect(readPayload(Buffer.from(`{"steps":[${times(300_000, '0')}`), ENTRY)).toMatchObject({ kind: 'unreadable' });
  });
});

describe('a large payload of an honest job', () => {
  it('is a job', () => {
    const variables = Array.from({ length: 6_000 }, (_, index) => {
      const key = `VAR_${String(index)}`;
      return { key, value: `value of ${key}`, public: true, masked: false, raw: false, file: false };
    });
    const script = Array.from({ length: 5_000 }, (_, index) => `echo "line ${String(index)}" && make part`);
    const raw = {
      id: 4711,
      token: 'glcbt-x',
      variables,
      steps: [
        { name: 'script', script },
        { name: 'after_script', script },
      ],
    };

    expect(readPayload(Buffer.from(JSON.stringify(raw)), ENTRY)).toMatchObject({
      kind: 'job',
      spec: { variables, afterScript: script },
    });
  });
});
