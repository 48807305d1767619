// preflight-texts.ts -- What the card says, in each language. The API gives its advice in English. Types make sure that none is missing.

import type { Preflight } from '../../../client/coupon-client.ts';

type Check = Preflight['checks'][number];
type PreflightText = Check['name'] | Check['status'] | 'title' | 'hint' | 'run' | 'running' | 'needs';

const en: Record<PreflightText, string> = {
  title: 'Preflight',
  hint: 'Compares what the drop needs with what stores, processes and settings have now.',
  run: 'Check now',
  running: 'Checking…',
  needs: '{pieces} pieces take at most {redis} MB in Redis and {mysql} MB in MySQL.',
  ok: 'Ready for this drop.',
  unknown: 'Ready, as far as this API can see.',
  warning: 'It may not carry this drop: see the warnings.',
  error: 'It cannot carry this drop: see the errors.',
  period: 'Period',
  opening: 'Opening',
  servers: 'Redis servers',
  memory: 'Memory of Redis',
  backlog: 'Bound of the backlog',
  writing: 'Workers',
  mysqlConnections: 'Connections to MySQL',
  redisConnections: 'Connections to Redis',
  files: 'Open files',
  limits: 'Rate limits',
  clocks: 'Clocks',
  replicas: 'Replicas',
  fsync: 'Flushing to disk',
  otherDrops: 'Other drops',
  sockets: 'Waiting connections',
};

const ko: Record<PreflightText, string> = {
  title: '사전 점검',
  hint: '발급에 필요한 자원과 저장소, 프로세스, 설정의 현재 상태를 비교합니다.',
  run: '지금 점검',
  running: '점검하는 중…',
  needs: '{pieces}장은 Redis에서 최대 {redis}MB, MySQL에서 {mysql}MB를 차지합니다.',
  ok: '감당할 수 있습니다.',
  unknown: '확인할 수 있는 범위에서는 감당할 수 있습니다.',
  warning: '감당하지 못할 수 있습니다. 경고를 확인하세요.',
  error: '감당할 수 없습니다. 오류를 확인하세요.',
  period: '기간',
  opening: '재고 준비',
  servers: 'Redis 서버',
  memory: 'Redis 메모리',
  backlog: '저장 대기 한도',
  writing: '워커',
  mysqlConnections: 'MySQL 연결',
  redisConnections: 'Redis 연결',
  files: '열린 파일',
  limits: '요청 제한',
  clocks: '시계',
  replicas: '복제본',
  fsync: '디스크 기록',
  otherDrops: '다른 발급',
  sockets: '대기 중인 연결',
};

export const preflightTexts = { en, ko };

export const koreanAdvice: Record<Check['code'], string> = {
  OK: '할 일이 없습니다.',
  COUPON_OVER: '종료 시각을 바꾸세요. 이 쿠폰은 더 이상 발급되지 않습니다.',
  COUPON_PAUSED: '발급 전에 재개하세요.',
  COUPON_NOT_OPENED: '“재고 준비”를 누르세요. 그러지 않으면 첫 요청이 기다립니다.',
  SERVER_SILENT: '서버를 시작하거나, API가 연결하지 못하는 이유를 확인하세요.',
  REPLICA_UNREACHABLE: '직접 확인하세요. API가 이 주소로 연결하지 못합니다.',
  MEMORY_SHORT: 'Redis의 maxmemory를 필요한 양보다 크게 올리세요. 그러지 않으면 발급 도중에 승인을 거부합니다.',
  MEMORY_NEAR: 'Redis의 maxmemory를 올리세요. AOF 다시 쓰기와 다른 발급에도 여유가 필요합니다.',
  MEMORY_UNBOUNDED:
    'Redis에 noeviction과 함께 maxmemory를 설정하세요. 없으면 메모리가 부족할 때 시스템이 Redis를 종료합니다.',
  MEMORY_UNKNOWN: '메모리를 직접 비교하세요. 발급될 수량이나 Redis가 쓸 수 있는 양을 알 수 없습니다.',
  BACKLOG_SHORT: 'UNPERSISTED_USERS_MAX를 올리거나 워커가 따라가는지 확인하세요. 한도를 넘으면 503으로 응답합니다.',
  NO_WORKER: '워커를 시작하세요. 승인된 발급이 저장되지 않습니다.',
  WRITING_BEHIND: '밀린 발급이 저장될 때까지 기다리거나 워커를 더 시작하고, 로그를 확인하세요.',
  WRITING_UNKNOWN: '워커의 저장 속도를 알려면 예행연습을 하세요. 지금은 저장되는 것이 없습니다.',
  MYSQL_CONNECTIONS_SHORT: 'MySQL의 max_connections를 올리거나 MYSQL_CONNECTIONS_MAX를 낮추세요.',
  REDIS_CONNECTIONS_SHORT: 'Redis의 maxclients를 올리세요. 순차 재시작에는 프로세스마다 하나씩 더 필요합니다.',
  CONNECTIONS_UNKNOWN: '직접 비교하세요. 서버가 허용하는 연결 수를 알려 주지 않습니다.',
  FILES_SHORT: 'API의 열린 파일 한도를 올리세요.',
  LIMITS_OFF: 'USER_REQUESTS_MAX나 CAPTCHA를 설정하세요. 한 사용자가 다른 사용자의 몫을 차지할 수 있습니다.',
  LIMITS_ONE_ADDRESS: 'TRUSTED_PROXIES를 설정하세요. 프록시 뒤에서는 모든 사용자가 한 주소로 계산됩니다.',
  CLOCKS_APART: 'MySQL, Redis, API의 시계를 맞추세요(NTP). 발급은 이 시계로 시작됩니다.',
  REPLICAS_MISSING: '복제본을 복구하거나 REPLICAS_MIN을 낮추세요. 모자라면 모든 응답이 503입니다.',
  REPLICAS_BEHIND: '모든 복제본이 연결되어 따라잡을 때까지 기다리세요. 승격될 때 없는 것은 사라집니다.',
  REPLICAS_UNGUARDED: 'min-replicas-to-write 1을 설정하세요. 교체된 줄 모르는 주 서버가 계속 승인합니다.',
  FSYNC_OFF: 'appendonly yes와 appendfsync always를 설정하세요. 장애가 나면 저장 전의 발급이 모두 사라집니다.',
  FSYNC_LATE:
    '쓸 때마다 디스크에 기록하세요(appendfsync always, innodb_flush_log_at_trx_commit=1). 정전이 나면 마지막 기록이 사라집니다.',
  FSYNC_FAILING: 'Redis의 디스크를 비우세요. AOF를 쓰지 못하고 있습니다.',
  FSYNC_UNKNOWN: '직접 확인하세요. 서버가 기록 방식을 알려 주지 않습니다.',
  OTHER_DROPS: '시작 시각을 나누거나, 합계에 맞춰 준비하세요.',
  SOCKETS_SHORT: 'net.core.somaxconn을 4096으로 설정하세요(deploy/sysctl.conf). 시작하는 순간의 연결이 사라집니다.',
  SOCKETS_UNKNOWN: '직접 확인하세요. 이 시스템은 대기할 수 있는 연결 수를 알려 주지 않습니다.',
};
