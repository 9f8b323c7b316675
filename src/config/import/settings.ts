import type { Draft, Place } from './draft.js';
import {
  accepted,
  asBoolean,
  asEnvironment,
  asList,
  asNumber,
  asPorts,
  asScalars,
  asServerLevel,
  asServiceWait,
  asText,
  isEmpty,
  ValueError,
} from './values.js';

/**
 * Every setting of gitlab-runner's config.toml that the Docker executor reads, and what becomes of it. The one source of
 * `holdfast import-config` and of the table in docs/gitlab.md; a test holds the two together.
 */
export interface Setting {
  /** Dotted path; `runners` and `runners.docker.services` are lists, and `*` stands for whatever name. */
  key: string;
  /** Ours, as in the configuration; absent: there is none. */
  to?: string;
  /** How the two differ, or why there is none. */
  note?: string;
  /** Values with which nothing is lost; default: what Go has for a setting that nobody made. */
  unset?: (value: unknown) => boolean;
  /** @throws ValueError when the value, or a part of it, cannot be taken over */
  apply?: (value: unknown, place: Place, draft: Draft) => void;
}

/** Moves a value to a key of the engine, of the entry, or of the whole configuration. */
function engine(key: string, to: string, read: (value: unknown) => unknown, note?: string): Setting {
  return {
    key: `runners.docker.${key}`,
    to: `engines[].${to}`,
    ...(note === undefined ? {} : { note }),
    apply: (value, place) => place.engine.set(to, accepted('engines', to, read(value))),
  };
}

function entry(key: string, to: string, read: (value: unknown) => unknown, note?: string): Setting {
  return {
    key: `runners.${key}`,
    to: `gitlab[].${to}`,
    ...(note === undefined ? {} : { note }),
    apply: (value, place) => place.entry.set(to, accepted('gitlab', to, read(value))),
  };
}

function none(key: string, note: string): Setting {
  return { key, note };
}

/** Where 0 or false is an answer of its own and not what nobody has set. */
function said(setting: Setting): Setting {
  return { ...setting, unset: isEmpty };
}

/** Where ours is always on. */
function alwaysOn(setting: Setting): Setting {
  return { ...setting, unset: (value) => value === true };
}

/** `cpus = "0"`: no limit. */
function withoutZero(setting: Setting): Setting {
  return { ...setting, unset: (value) => value === 0 || (typeof value === 'string' && Number(value) === 0) };
}

const GLOBAL: Setting[] = [
  {
    key: 'concurrent',
    to: 'engines[].capacity',
    note: 'of each engine; several engines together may run more',
    apply: (value, _place, draft) => (draft.concurrent = accepted('engines', 'capacity', asNumber(value))),
  },
  none('check_interval', 'a GitLab that does not hold the request is asked every second at most'),
  {
    key: 'log_level',
    to: 'log.level',
    note: '`warning` is `warn`; `fatal` and `panic` are `error`',
    apply: (value, _place, draft) => draft.top.set('log', { level: accepted('log', 'level', asServerLevel(value)) }),
  },
  none('log_format', 'the log is JSON lines'),
  none('sentry_dsn', 'faults are in the log and in the metrics'),
  none('connection_max_age', 'idle connections are closed after 30 s'),
  {
    key: 'listen_address',
    to: 'metricsServer.listenAddress',
    note: 'names of the metrics differ: see operations.md',
    apply: (value, _place, draft) =>
      draft.top.set('metricsServer', { listenAddress: accepted('metricsServer', 'listenAddress', asPorts(value)) }),
  },
  none('shutdown_timeout', 'SIGTERM hands running jobs over within 10 s and SIGQUIT drains, so no job is given up'),
  none('labels', 'GitLab is told no labels'),
  none('session_server.listen_address', 'there is no web terminal; `holdfast shell` opens one'),
  none('session_server.advertise_address', 'there is no web terminal'),
  none('session_server.session_timeout', 'there is no web terminal'),
];

const RUNNER: Setting[] = [
  {
    key: 'runners.name',
    to: 'gitlab[].name',
    note: 'made a short lower-case name',
    apply: (value, place) => place.entry.set('name', asText(value)),
  },
  entry('url', 'url', asText, '`$ENV` references are not followed'),
  {
    key: 'runners.token',
    to: 'gitlab[].tokenFile',
    note: 'in a file of mode 0600',
    apply: (value, place) => (place.token = asText(value)),
  },
  none('runners.id', 'GitLab tells it'),
  none(
    'runners.token_obtained_at',
    'GitLab tells the end of a token, and the age of its file its beginning; see `gitlab[].renewToken`',
  ),
  none(
    'runners.token_expires_at',
    'GitLab tells the end of a token, and the age of its file its beginning; see `gitlab[].renewToken`',
  ),
  entry('tls-ca-file', 'ca', asText),
  entry('tls-cert-file', 'cert', asText),
  entry('tls-key-file', 'key', asText),
  {
    key: 'runners.limit',
    to: 'gitlab[].limit',
    note: '0 becomes `concurrent`',
    apply: (value, place) => (place.limit = accepted('gitlab', 'limit', asNumber(value))),
  },
  none('runners.request_concurrency', 'one request at a time; the next follows a job at once'),
  none('runners.strict_check_interval', 'the next request follows a job at once'),
  entry('output_limit', 'outputLimit', (value) => `${String(asNumber(value))}KiB`, 'the last 64 KiB are kept too'),
  none('runners.unhealthy_requests_limit', 'a refused token is tried again every 30 s at most'),
  none('runners.unhealthy_interval', 'a refused token is tried again every 30 s at most'),
  none(
    'runners.job_status_final_update_retry_limit',
    'the final status is repeated for as long as GitLab keeps the job open (`gitlab[].giveUpAfter`)',
  ),
  {
    key: 'runners.executor',
    note: '`docker` is what there is; entries with another one are left out',
    apply: (value, place) => (place.executor = asText(value)),
  },
  none('runners.shell', 'bash where the image has it, else sh'),
  {
    key: 'runners.builds_dir',
    to: 'engines[].buildsDirectory',
    apply: (value, place) => place.engine.set('buildsDirectory', accepted('engines', 'buildsDirectory', asText(value))),
  },
  none('runners.cache_dir', 'caches are kept in the store'),
  {
    key: 'runners.environment',
    to: 'gitlab[].environment',
    note: 'but for lines that are no `KEY=value`, or whose key is no name of a variable',
    apply: (value, place) => {
      const { variables, refused } = asEnvironment(value);
      place.entry.set('environment', variables);
      if (refused.length > 0)
        throw new ValueError(`no variable of a shell, and left out alone: ${refused.join(', ')} (gitlab.environment)`);
    },
  },
  entry('clone_url', 'cloneUrl', asText),
  entry('pre_get_sources_script', 'preGetSourcesScript', asText),
  entry('pre_clone_script', 'preGetSourcesScript', asText, 'the older name'),
  entry('post_get_sources_script', 'postGetSourcesScript', asText),
  entry('post_clone_script', 'postGetSourcesScript', asText, 'the older name'),
  entry('pre_build_script', 'preBuildScript', asText),
  entry('post_build_script', 'postBuildScript', asText),
  none('runners.prepare_timeout', 'making a machine may take 40 min'),
  none('runners.get_sources_timeout', "the job's own time limit holds"),
  none(
    'runners.debug_trace_disabled',
    'a debug trace is masked like any other, and GitLab shows it to maintainers only',
  ),
  alwaysOn(none('runners.safe_directory_checkout', 'always so in the helper container')),
  none('runners.clean_git_config', 'every job has a fresh builds volume'),
  alwaysOn(
    none('runners.custom_build_dir.enabled', 'always on: GIT_CLONE_PATH below the builds directory is followed'),
  ),
  said(none('runners.feature_flags.*', 'there are no feature flags; what they choose is as docs/gitlab.md says')),
  none('runners.artifact.upload_timeout', 'uploads go on for as long as GitLab keeps the job open'),
  none('runners.artifact.response_header_timeout', 'uploads go on for as long as GitLab keeps the job open'),
  {
    key: 'runners.referees.metrics.prometheus_address',
    to: 'metrics.prometheusUrl',
    note: 'one for all entries',
    apply: (value, _place, draft) => draft.metric('prometheusUrl', asText(value)),
  },
  {
    key: 'runners.referees.metrics.query_interval',
    to: 'metrics.step',
    note: 'one for all entries',
    apply: (value, _place, draft) => draft.metric('step', `${String(asNumber(value))}s`),
  },
  {
    key: 'runners.referees.metrics.queries',
    to: 'metrics.queries',
    note: 'a selector by machine instead of by host; one set for all entries',
    apply: (value, _place, draft) => draft.queries(asList(value)),
  },
  {
    key: 'runners.referees.metrics.metric_queries',
    to: 'metrics.queries',
    note: 'gitlab-runner documents this name and reads the other',
    apply: (value, _place, draft) => draft.queries(asList(value)),
  },
  none('runners.monitoring.*', 'queue times are in `holdfast_job_queue_duration_seconds`'),
  none(
    'runners.cache.Type',
    'caches are kept in the store: `store.directory` or `store.s3`, for all workers that share it',
  ),
  none('runners.cache.Path', '`store.s3.prefix` is for everything in the store'),
  alwaysOn(none('runners.cache.Shared', 'caches are per project and shared by all workers of the store')),
  none('runners.cache.MaxUploadedArchiveSize', 'caches have no limit of size'),
  none('runners.cache.s3.*', 'set `store.s3`: it holds traces and artifacts too'),
  none('runners.cache.gcs.*', 'there is no such store; Google speaks the S3 protocol with interoperability keys'),
  none('runners.cache.azure.*', 'there is no such store'),
  none('runners.machine.*', 'machines are not made by demand'),
  none('runners.autoscaler.*', 'machines are not made by demand'),
  none('runners.kubernetes.*', 'another executor'),
  none('runners.ssh.*', 'another executor'),
  none('runners.custom.*', 'another executor'),
];

const DOCKER: Setting[] = [
  {
    key: 'runners.docker.host',
    to: 'engines[].docker.host',
    apply: (value, place) => place.docker.set('host', accepted('engines.docker', 'host', asText(value))),
  },
  {
    key: 'runners.docker.tls_cert_path',
    to: 'engines[].docker.ca, cert, key',
    note: 'the files ca.pem, cert.pem and key.pem in it',
    apply: (value, place) => {
      const directory = asText(value).replace(/\/+$/, '');
      for (const name of ['ca', 'cert', 'key']) place.docker.set(name, `${directory}/${name}.pem`);
    },
  },
  {
    key: 'runners.docker.tls_verify',
    note: 'with `tls_cert_path` the certificate is always verified',
    apply: (value, place) => (place.tlsVerify = asBoolean(value)),
  },
  engine('image', 'defaultImage', asText),
  engine('helper_image', 'helperImage', asText, "any image with sh and git, as alpine/git; GitLab's helper works too"),
  none('runners.docker.helper_image_flavor', 'name the image: `engines[].helperImage`'),
  none('runners.docker.helper_image_autoset_arch_and_os', 'the engine takes the image for its own architecture'),
  engine('pull_policy', 'pullPolicy', asList),
  engine('allowed_pull_policies', 'allowedPullPolicies', asList),
  engine('allowed_images', 'allowedImages', asList),
  engine('allowed_services', 'allowedServices', asList),
  engine('allowed_users', 'allowedUsers', asList, 'for services too'),
  engine('allowed_privileged_images', 'allowedPrivilegedImages', asList),
  engine('allowed_privileged_services', 'allowedPrivilegedServices', asList),
  engine('disable_entrypoint_overwrite', 'disableEntrypointOverwrite', asBoolean),
  engine('privileged', 'privileged', asBoolean, 'without `services_privileged` it is set for services too'),
  said(engine('services_privileged', 'servicesPrivileged', asBoolean)),
  engine('cap_add', 'capAdd', asList),
  engine('cap_drop', 'capDrop', asList),
  engine(
    'security_opt',
    'securityOpt',
    asList,
    'services get none of them, as there; a seccomp profile is given as its JSON text, not as a file',
  ),
  engine('services_security_opt', 'servicesSecurityOpt', asList),
  engine('user', 'user', asText),
  engine('userns_mode', 'usernsMode', asText),
  engine('group_add', 'groupAdd', asList),
  engine('ipcmode', 'ipcMode', asText),
  engine('pid_mode', 'pidMode', asText),
  none('runners.docker.isolation', 'Windows only'),
  engine('memory', 'memory', asText),
  engine('memory_swap', 'memorySwap', asText),
  engine('memory_reservation', 'memoryReservation', asText),
  withoutZero(engine('cpus', 'cpus', asNumber)),
  engine('cpuset_cpus', 'cpusetCpus', asText),
  engine('cpuset_mems', 'cpusetMems', asText),
  engine('cpu_shares', 'cpuShares', asNumber),
  engine('service_memory', 'serviceMemory', asText),
  engine('service_memory_swap', 'serviceMemorySwap', asText),
  engine('service_memory_reservation', 'serviceMemoryReservation', asText),
  withoutZero(engine('service_cpus', 'serviceCpus', asNumber)),
  engine('service_cpuset_cpus', 'serviceCpusetCpus', asText),
  engine('service_cpu_shares', 'serviceCpuShares', asNumber),
  none('runners.docker.service_cgroup_parent', '`engines[].cgroupParent` is for services too'),
  none('runners.docker.service_gpus', 'services get no GPUs'),
  engine('cgroup_parent', 'cgroupParent', asText),
  engine('oom_kill_disable', 'oomKillDisable', asBoolean),
  engine('oom_score_adjust', 'oomScoreAdjust', asNumber),
  engine(
    'ulimit',
    'ulimits',
    (value) => asScalars(value, (item) => asNumber(item)),
    'soft and hard limit are one number',
  ),
  engine('shm_size', 'shmSize', asNumber),
  engine('sysctls', 'sysctls', (value) => asScalars(value, asText)),
  engine('tmpfs', 'tmpfs', (value) => asScalars(value, asText), 'for services too'),
  none('runners.docker.services_tmpfs', '`engines[].tmpfs` is for services too'),
  engine('devices', 'devices', asList),
  none('runners.docker.services_devices', 'services get no devices'),
  engine('device_cgroup_rules', 'deviceCgroupRules', asList),
  engine('gpus', 'gpus', asText, '`all` or a number'),
  engine('runtime', 'runtime', asText),
  engine('dns', 'dns', asList),
  engine('dns_search', 'dnsSearch', asList),
  engine('extra_hosts', 'extraHosts', asList),
  engine('network_mode', 'networkMode', asText, 'a job with services gets a network of its own'),
  none('runners.docker.network_mtu', 'set it in the engine: `default-network-opts` of its daemon.json'),
  none('runners.docker.enable_ipv6', 'set it in the engine: `default-network-opts` of its daemon.json'),
  none('runners.docker.links', 'an older way of Docker: give both containers one network with `network_mode`'),
  none('runners.docker.mac_address', 'several jobs run at once, and an address can be given once'),
  none('runners.docker.hostname', 'it is the name of the machine, so that logs can be matched'),
  engine(
    'volumes',
    'volumes',
    asList,
    'a path without a host path is a volume of the job alone; use `cache:` to keep files',
  ),
  engine('volumes_from', 'volumesFrom', asList),
  engine('volume_driver', 'volumeDriver', asText),
  none('runners.docker.volume_driver_ops', 'options of a volume driver are not passed on'),
  none(
    'runners.docker.volume_keep',
    'nothing of a job is left on the engine; `holdfast run --hold-on-failure` keeps a machine for a while',
  ),
  none('runners.docker.cache_dir', 'caches are kept in the store'),
  none('runners.docker.disable_cache', 'there are no cache volumes'),
  engine(
    'wait_for_services_timeout',
    'serviceWait',
    asServiceWait,
    'in seconds; a negative one, not to wait, is `0s` here',
  ),
  said(engine('services_limit', 'servicesLimit', asNumber)),
  none('runners.docker.services.*', 'services are named by jobs: `default: services:` in .gitlab-ci.yml'),
  engine('container_labels', 'containerLabels', (value) => asScalars(value, asText)),
  none('runners.docker.log_options', 'the log of a container is how the trace is kept, so it is fixed'),
];

export const SETTINGS: readonly Setting[] = [...GLOBAL, ...RUNNER, ...DOCKER];

/** The setting of a path as it stands in a config.toml. */
export function settingOf(path: string): Setting | undefined {
  return SETTINGS.find(({ key }) => key === path || (key.endsWith('.*') && path.startsWith(key.slice(0, -1))));
}
