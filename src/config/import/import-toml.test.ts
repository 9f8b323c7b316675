import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../load.js';
import { importToml, ImportError } from './import-toml.js';
import { SETTINGS } from './settings.js';

const options = { tokenFile: (entry: string) => `/etc/holdfast/gitlab-${entry}.token` };
const read = (text: string) => importToml(text, options);

const RUNNER = `
[[runners]]
  name = "Main Runner"
  url = "https://gitlab.example/"
  token = "glrt-secret0123456789"
  executor = "docker"
`;

const FULL = `
concurrent = 7
check_interval = 5
log_level = "warning"
listen_address = ":9300"

[session_server]
  session_timeout = 1800

${RUNNER}
  limit = 3
  output_limit = 8192
  environment = ["A=b=c", "DOCKER_AUTH_CONFIG={}"]
  clone_url = "http://internal"
  pre_build_script = "echo pre"
  tls-ca-file = "/etc/ca.pem"
  [runners.feature_flags]
    FF_TIMESTAMPS = true
  [runners.cache]
    Type = "s3"
    MaxUploadedArchiveSize = 0
    [runners.cache.s3]
      BucketName = "b"
  [runners.referees.metrics]
    prometheus_address = "http://prometheus:9090"
    query_interval = 10
    queries = ["cpu:rate(x{{selector}}[{interval}])", "rule:job:rate5m"]
  [runners.docker]
    host = "tcp://docker:2376"
    tls_cert_path = "/certs/"
    tls_verify = true
    image = "alpine:3"
    privileged = true
    memory = "512m"
    cpus = "1.5"
    shm_size = 0
    pull_policy = ["always", "if-not-present"]
    allowed_images = ["ruby:*", "registry.example/**"]
    volumes = ["/cache", "/srv/x:/x:ro"]
    extra_hosts = ["a:1.2.3.4"]
    sysctls = { "net.core.somaxconn" = "1024" }
    ulimit = { nofile = "1024" }
    wait_for_services_timeout = 60
    links = ["db:db"]
    memory_swappiness = 5
    [[runners.docker.services]]
      name = "postgres"
`;

describe('a config.toml', () => {
  it('becomes a configuration of ours', () => {
    const { config, tokens } = read(FULL);

    expect(config).toEqual({
      log: { level: 'warn' },
      metricsServer: { listenAddress: '0.0.0.0:9300' },
      metrics: {
        prometheusUrl: 'http://prometheus:9090',
        step: '10s',
        queries: { cpu: 'rate(x{{selector}}[{interval}])', rule: 'job:rate5m' },
      },
      engines: [
        {
          name: 'local',
          docker: { host: 'tcp://docker:2376', ca: '/certs/ca.pem', cert: '/certs/cert.pem', key: '/certs/key.pem' },
          capacity: 7,
          defaultImage: 'alpine:3',
          privileged: true,
          servicesPrivileged: true,
          memory: '512m',
          cpus: 1.5,
          pullPolicy: ['always', 'if-not-present'],
          allowedImages: ['ruby:*', 'registry.example/**'],
          volumes: ['/cache', '/srv/x:/x:ro'],
          extraHosts: ['a:1.2.3.4'],
          sysctls: { 'net.core.somaxconn': '1024' },
          ulimits: { nofile: 1024 },
          serviceWait: '60s',
        },
      ],
      gitlab: [
        {
          name: 'main-runner',
          url: 'https://gitlab.example/',
          tokenFile: '/etc/holdfast/gitlab-main-runner.token',
          limit: 3,
          outputLimit: '8192KiB',
          environment: { A: 'b=c', DOCKER_AUTH_CONFIG: '{}' },
          cloneUrl: 'http://internal',
          preBuildScript: 'echo pre',
          ca: '/etc/ca.pem',
        },
      ],
    });
    expect(tokens).toEqual([
      {
        entry: 'main-runner',
        file: '/etc/holdfast/gitlab-main-runner.token',
        token: 'glrt-secret0123456789',
      },
    ]);
  });

  it('has everything that could not be carried over listed, with the reason', () => {
    const { leftOut } = read(FULL);

    expect(leftOut.map(({ path }) => path)).toEqual([
      'check_interval',
      'session_server.session_timeout',
      'runners[0].feature_flags.FF_TIMESTAMPS',
      'runners[0].cache.Type',
      'runners[0].cache.s3.BucketName',
      'runners[0].docker.links',
      'runners[0].docker.memory_swappiness',
      'runners[0].docker.services[0].name',
    ]);
    expect(leftOut.find(({ path }) => path.endsWith('memory_swappiness'))?.why).toMatch(/no setting/);
    expect(leftOut.every(({ why }) => why.length > 5)).toBe(true);
  });

  it('never has the token in the configuration', () => {
    expect(JSON.stringify(read(FULL).config)).not.toContain('secret0123456789');
  });

  it('with several runners has an engine for each kind of Docker settings, and a pool for each further engine', () => {
    const { config, leftOut } = read(
      `concurrent = 4\n${RUNNER}[runners.docker]\nimage = "a"\n${RUNNER}[runners.docker]\nimage = "a"\n${RUNNER}[runners.docker]\nimage = "b"\nprivileged = true\n`,
    );

    expect(config['engines']).toMatchObject([
      { name: 'local', capacity: 4, defaultImage: 'a' },
      { name: 'main-runner-3', pools: ['main-runner-3'], defaultImage: 'b', privileged: true },
    ]);
    expect(config['gitlab']).toMatchObject([
      { name: 'main-runner', limit: 4 },
      { name: 'main-runner-2', limit: 4 },
      { name: 'main-runner-3', pool: 'main-runner-3' },
    ]);
    expect(leftOut).toEqual([{ path: 'concurrent', why: expect.stringContaining('2 engines') }]);
  });

  it('pulls always, as gitlab-runner does, unless it says otherwise', () => {
    expect(read(RUNNER).config['engines']).toMatchObject([{ pullPolicy: ['always'] }]);
  });

  it('with a runner of another executor leaves it out and says so', () => {
    const { config, leftOut } = read(RUNNER.replace('docker', 'shell'));

    expect(config).toEqual({});
    expect(leftOut).toEqual([{ path: 'runners[0]', why: 'its executor is "shell", not "docker"' }]);
  });

  it('with a value of the wrong kind names it and goes on', () => {
    const { leftOut } = read(
      `${RUNNER}limit = 2\n[runners.docker]\nprivileged = "yes"\ndns = [1, {a = 1}]\nulimit = {nofile = "1:2"}\n`,
    );

    expect(leftOut).toEqual([
      { path: 'runners[0].docker.privileged', why: 'it is neither true nor false' },
      { path: 'runners[0].docker.dns', why: 'it is no text' },
      { path: 'runners[0].docker.ulimit', why: 'it is no number' },
    ]);
  });

  const importDocker = (lines: string) => {
    const { config, leftOut } = read(`${RUNNER}[runners.docker]\n${lines}\n`);
    return { engine: parseConfig(config, 'x').engines[0], leftOut };
  };

  it('that says false or 0 where something else would be taken keeps it', () => {
    const { engine, leftOut } = importDocker('privileged = true\nservices_privileged = false\nservices_limit = 0');

    expect(engine).toMatchObject({ privileged: true, servicesPrivileged: false, servicesLimit: 0 });
    expect(leftOut).toEqual([]);
  });

  it('with security options for builds gives services none of them, as there', () => {
    expect(importDocker('security_opt = ["seccomp=unconfined"]').engine).toMatchObject({
      securityOpt: ['seccomp=unconfined'],
      servicesSecurityOpt: [],
    });
    expect(importDocker('security_opt = ["a"]\nservices_security_opt = ["no-new-privileges"]').engine).toMatchObject({
      servicesSecurityOpt: ['no-new-privileges'],
    });
  });

  it.each([
    ['docker.tls_cert_path = "/certs"', 'docker.tls_verify', /always verified/],
    ['docker.tls_cert_path = "/certs"\ndocker.tls_verify = false', 'docker.tls_verify', /always verified/],
    ['custom_build_dir.enabled = false', 'custom_build_dir.enabled', /always on/],
    ['feature_flags.FF_TIMESTAMPS = false', 'feature_flags.FF_TIMESTAMPS', /no feature flags/],
    ['safe_directory_checkout = false', 'safe_directory_checkout', /always so/],
    ['cache.Shared = false', 'cache.Shared', /shared by all workers/],
  ])('that turns off what is always on here is told so: %s', (lines, path, why) => {
    expect(read(`${RUNNER}${lines}\n`).leftOut).toEqual([
      { path: `runners[0].${path}`, why: expect.stringMatching(why) },
    ]);
  });

  it('that says what is so anyhow has nothing left out', () => {
    const register =
      'docker.tls_verify = false\ndocker.privileged = false\ndocker.disable_entrypoint_overwrite = false\ndocker.oom_kill_disable = false\ndocker.disable_cache = false\ndocker.shm_size = 0\ndocker.network_mtu = 0\ncache.MaxUploadedArchiveSize = 0\n';
    const others =
      'custom_build_dir.enabled = true\ncache.Shared = true\nsafe_directory_checkout = true\nlimit = 0\noutput_limit = 0\ndocker.cpus = "0"\ndocker.service_cpus = "0.0"\ndocker.pull_policy = []\n';
    const { config, leftOut } = read(`${RUNNER}${register}${others}`);

    expect(leftOut).toEqual([]);
    expect(config['engines']).toEqual([{ name: 'local', capacity: 1, pullPolicy: ['always'] }]);
    expect(read(`${RUNNER}docker.tls_cert_path = "/certs"\ndocker.tls_verify = true\n`).leftOut).toEqual([]);
  });

  it('with values that ours does not take leaves out each alone, with the reason', () => {
    const { config, leftOut } = read(
      `concurrent = 2000\nlog_level = "loud"\nlisten_address = "a b"\n${RUNNER}environment = ["1X=2", "GOOD=1", "BARE"]\nlimit = -1\nclone_url = "ssh://x"\nreferees.metrics.queries = ["my query:up", "ok:up"]\nbuilds_dir = "relative"\n[runners.docker]\nimage = "a"\ngpus = "device=0"\ncpus = "-1"\nmemory = "much"\npull_policy = "sometimes"\noom_score_adjust = 2000\nhost = "ssh://x"\n`,
    );

    expect(leftOut.map(({ path }) => path.replace(/^runners\[0\]\./, ''))).toEqual([
      'concurrent',
      'log_level',
      'listen_address',
      'environment',
      'limit',
      'clone_url',
      'referees.metrics.queries',
      'builds_dir',
      'docker.gpus',
      'docker.cpus',
      'docker.memory',
      'docker.pull_policy',
      'docker.oom_score_adjust',
      'docker.host',
    ]);
    expect(leftOut.find(({ path }) => path.endsWith('gpus'))?.why).toBe(
      'must be "all" or a number of GPUs (engines.gpus)',
    );
    expect(leftOut.find(({ path }) => path.endsWith('environment'))?.why).toMatch(/"1X", line 3/);
    expect(config).toEqual({
      metrics: { queries: { ok: 'up' } },
      engines: [{ name: 'local', capacity: 1, defaultImage: 'a', pullPolicy: ['always'] }],
      gitlab: [
        {
          name: 'main-runner',
          url: 'https://gitlab.example/',
          tokenFile: '/etc/holdfast/gitlab-main-runner.token',
          limit: 1,
          environment: { GOOD: '1' },
        },
      ],
    });
  });

  it('without limit of swap has none, and one that does not wait for services does not', () => {
    const { engine, leftOut } = importDocker(
      'memory = "1g"\nmemory_swap = "-1"\nservice_memory_swap = "-1"\nwait_for_services_timeout = -1',
    );

    expect(engine).toMatchObject({ memorySwapBytes: -1, serviceMemorySwapBytes: -1, serviceWaitMs: 0 });
    expect(leftOut).toEqual([]);
  });

  it('with a runner whose URL cannot be used leaves that runner out', () => {
    const { config, leftOut } = read(`${RUNNER}${RUNNER.replace('https://gitlab.example/', '$CI_SERVER_URL')}`);

    expect(config['gitlab']).toHaveLength(1);
    expect(leftOut.map(({ path }) => path)).toEqual(['runners[1].url', 'runners[1]']);
  });

  it('that is no TOML is refused with its line', () => {
    expect(() => read('a = 1\nb = = 2\n')).toThrow(ImportError);
    expect(() => read('a = 1\nb = = 2\n')).toThrow(/line 2/);
  });

  it('with any setting of any kind gives a valid configuration', () => {
    const value = fc.oneof(
      fc.constantFrom(
        '"x"',
        '""',
        '0',
        '3',
        '-1',
        'true',
        '["a"]',
        '["a=b"]',
        '{ a = "b" }',
        '1.5',
        '"512m"',
        '1979-05-27',
      ),
    );
    const keys = SETTINGS.map(({ key }) => key.replace('.*', '.x')).filter((key) => key.startsWith('runners.'));
    fc.assert(
      fc.property(fc.uniqueArray(fc.constantFrom(...keys), { maxLength: 4 }), value, (given, text) => {
        const groups = given
          .map((key) => `${key.replace('runners.', '')} = ${text}`)
          .filter((line) => !/^(name|url|token|executor) /.test(line));
        expect(parseConfig(read(`${RUNNER}${groups.join('\n')}\n`).config, 'x').gitlab).toHaveLength(1);
      }),
      { numRuns: 400 },
    );
  });
});
