// korean-details.ts -- The figures of a preflight in Korean. The API states them in English, in the few shapes that `checks.ts` writes.

const shapes: readonly (readonly [RegExp, string])[] = [
  [/^it is over$/, '종료됨'],
  [/^begins in (\S+) s$/, '$1초 후 시작'],
  [/^began (\S+) s ago$/, '$1초 전에 시작'],
  [/^open in Redis$/, 'Redis에 준비됨'],
  [/^the stock is not open in Redis$/, 'Redis에 준비되지 않음'],
  [/^(?:Redis )?does not answer$/, '응답 없음'],
  [/, replica$/, ', 복제본'],
  [/, primary$/, ', 주 서버'],
  [/^no AOF$/, 'AOF 없음'],
  [/^none$/, '없음'],
  [/(\S+) of (\S+) are open/, '$2개 중 $1개 사용'],
  [/; an unknown number of processes may take (\S+) each$/, ', 프로세스마다 최대 $1개(프로세스 수를 알 수 없음)'],
  [/; (\S+) processes may take (\S+) each$/, ', 프로세스 $1개가 각각 최대 $2개'],
  [/^uses (\S+ MB) of (\S+ MB)/, '$2 중 $1 사용'],
  [/, which is the whole machine/, '(서버 전체)'],
  [/: room for (\S+) users more$/, ', $1명 더 가능'],
  [/, and what is issued meanwhile takes (\S+ MB) at most$/, ', 발급되는 동안 최대 $1 추가'],
  [/^(\S+) of (\S+) online, at most (\S+) s behind$/, '$2개 중 $1개 연결됨, 지연 최대 $3초'],
  [/^(\S+) of (\S+) wait to be written/, '저장 대기 $1명(한도 $2명)'],
  [/, and (\S+) may come$/, ', 최대 $1명 추가'],
  [/, and any number may come$/, ', 추가될 수에 한도 없음'],
  [/^a worker reads/, '워커가 읽는 중'],
  [/^no worker reads/, '읽는 워커 없음'],
  [/^it is not known whether a worker reads/, '워커가 읽는지 알 수 없음'],
  [/, no row was written just now/, ', 최근에 저장된 행 없음'],
  [/, (\S+) rows a second/, ', 초당 $1행'],
  [/: this drop is written in (\S+) s/, ', 이 발급을 모두 저장하는 데 $1초'],
  [/, the oldest entry is (\S+) s old$/, ', 가장 오래된 항목은 $1초 전'],
  [/^(innodb_flush_log_at_trx_commit|net\.core\.somaxconn) unknown$/, '$1 알 수 없음'],
  [/^(appendfsync) unknown$/, '$1 알 수 없음'],
  [/^enough for all that callers may hold$/, '충분함'],
  [
    /^this process may open (\S+) files, and needs (\S+): .*$/,
    '$1개까지 열 수 있고 $2개가 필요함. ulimit -Hn을 올리거나 LISTENERS_MAX와 ISSUE_WAITERS_MAX를 낮추세요.',
  ],
  [/^a user any number of, an address /, '사용자마다 제한 없음, 주소마다 '],
  [/^a user (\S+), an address /, '사용자마다 $1건, 주소마다 '],
  [/주소마다 any number of requests in (\S+) s$/, '주소마다 제한 없음($1초 기준)'],
  [/주소마다 (\S+) requests in (\S+) s$/, '주소마다 $1건($2초 기준)'],
  [/^at least (\S+) ms apart$/, '차이 $1ms 이상'],
  [/^(\S+) are issued at that time; /, '같은 시간에 $1개 발급, '],
  [/none begins near it$/, '가까운 시각에 시작하는 것 없음'],
  [/(\S+) begin within ten minutes of it \((.*)\)$/, '10분 이내에 시작하는 것 $1개($2)'],
];

/** What no shape fits stays as it is. */
export function koreanDetail(detail: string): string {
  return shapes.reduce((text, [shape, korean]) => text.replace(shape, korean), detail);
}
