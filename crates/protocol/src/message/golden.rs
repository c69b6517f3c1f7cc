//! Every kind of message against its golden file.

use model::message::{AttemptEvent, FromWorker, Grant, LeaseId, News, Order, Report, ToWorker};
use model::outcome::AttemptEnd;
use model::{
    Attempt, AttemptId, DeviceRequest, DeviceSet, Epoch, ItemId, Request, Round, RunId, Span,
    TaskId, TaskKey, Token, VariantId, WorkerId,
};

use super::arbitrary::STOPS;
use super::{
    EVENT_KINDS, NEWS_KINDS, ORDER_KINDS, decode_from_worker, decode_to_worker, encode_from_worker,
    encode_to_worker, event_kind, news_kind, order_kind,
};
use crate::golden;
use crate::record::samples;

fn leases() -> Vec<LeaseId> {
    let task = TaskKey { run: RunId(12), task: TaskId(345) };
    (0..2).map(|item| LeaseId { item: task.item(ItemId(item)), token: Token(70) }).collect()
}

fn grants() -> Vec<Grant> {
    let grant = |(lease, request): (LeaseId, Request)| Grant {
        attempt: AttemptId { key: lease.item, round: Round(1), attempt: Attempt(2) },
        token: lease.token,
        request,
        devices: DeviceSet::EMPTY,
        grace: Span::secs(10),
        variant: VariantId(0),
    };
    leases().into_iter().zip([samples::request(), Request::default()]).map(grant).collect()
}

fn orders() -> Vec<ToWorker> {
    let mut orders = vec![
        Order::Welcome { worker: WorkerId(3), lease: Some(Span::secs(60)) },
        Order::Welcome { worker: WorkerId(3), lease: None },
        Order::Assign(grants()),
        Order::Acknowledge { report: 1_000 },
        Order::Renew { beat: 9 },
    ];
    orders.extend(STOPS.map(|how| Order::Stop { leases: leases(), how }));
    let message = |order| ToWorker { epoch: Epoch(4), session: 2, number: 17, order };
    orders.into_iter().map(message).collect()
}

fn events() -> Vec<AttemptEvent> {
    let mut events = vec![AttemptEvent::Started, AttemptEvent::Returned];
    let end = |outcome| AttemptEvent::Ended {
        outcome,
        end: AttemptEnd::default(),
        tasks: None,
        retry_after: None,
    };
    events.extend(samples::OUTCOMES.map(end));
    let (outcome, end) = (model::Outcome::Succeeded, samples::attempt_end(5));
    events.push(AttemptEvent::Ended { outcome, end, tasks: None, retry_after: None });
    events
}

fn from_worker(news: News) -> FromWorker {
    FromWorker { name: "node-1".into(), instance: 0x1234_5678, session: 2, number: 5, news }
}

fn reports(events: Vec<AttemptEvent>) -> FromWorker {
    let report = |event| Report { lease: leases()[0], event };
    from_worker(News::Reports { first: 40, reports: events.into_iter().map(report).collect() })
}

fn hello(lease: Option<Span>, reports_from: u64) -> FromWorker {
    from_worker(News::Hello { offers: samples::request().into(), lease, reports_from })
}

fn news() -> Vec<FromWorker> {
    vec![
        hello(Some(Span::secs(60)), 40),
        hello(None, 1),
        from_worker(News::Beat { beat: 9, held: leases() }),
        reports(events()),
    ]
}

#[test]
fn every_order_is_written_as_its_golden_file_and_read_back() {
    for &name in ORDER_KINDS {
        let messages: Vec<ToWorker> =
            orders().into_iter().filter(|message| order_kind(&message.order) == name).collect();
        let encoded: Vec<Vec<u8>> = messages.iter().map(encode_to_worker).collect();
        golden::check(name, &encoded, &format!("{messages:#?}\n"));
        let read = golden::read(name);
        let read: Vec<ToWorker> = read.iter().map(|one| decode_to_worker(one).unwrap()).collect();
        assert_eq!(read, messages, "`{name}`");
    }
}

fn check_news(name: &str, messages: &[FromWorker]) {
    let encoded: Vec<Vec<u8>> = messages.iter().map(encode_from_worker).collect();
    golden::check(name, &encoded, &format!("{messages:#?}\n"));
    let read = golden::read(name);
    let read: Vec<FromWorker> = read.iter().map(|one| decode_from_worker(one).unwrap()).collect();
    assert_eq!(read, messages, "`{name}`");
}

/// What came to ends with tasks that an attempt may write.
#[test]
fn the_tasks_of_an_attempt_are_written_as_their_golden_file_and_read_back() {
    let end = samples::attempt_end(5);
    let wrote = AttemptEvent::Ended {
        outcome: model::Outcome::Succeeded,
        end,
        tasks: end.output,
        retry_after: None,
    };
    let refused = AttemptEvent::Ended {
        outcome: samples::TASKS_OUTCOME,
        end,
        tasks: None,
        retry_after: None,
    };
    check_news("generation", &[reports(vec![wrote, refused])]);
}

/// What came to grants with ways to do the same.
#[test]
fn grants_in_another_way_are_written_as_their_golden_file_and_read_back() {
    let grants = grants().into_iter();
    let grants = grants.map(|grant| Grant { variant: VariantId(2), ..grant }).collect();
    let message = ToWorker { epoch: Epoch(4), session: 2, number: 3, order: Order::Assign(grants) };
    let encoded = encode_to_worker(&message);
    golden::check("ways_granted", std::slice::from_ref(&encoded), &format!("{message:#?}\n"));
    assert_eq!(decode_to_worker(&encoded), Ok(message));
}

/// What came to grants and hellos with devices.
#[test]
fn grants_with_devices_are_written_as_their_golden_file_and_read_back() {
    let devices = DeviceRequest { memory_bytes: 1 << 30, ..DeviceRequest::whole(2) };
    let kinds = Box::from([Box::from("a100")]);
    let request = Request { devices: DeviceRequest { kinds, ..devices }, ..Request::default() };
    let of_two = |grant| Grant { devices: DeviceSet(6), request: request.clone(), ..grant };
    let grants = grants().into_iter().map(of_two).collect();
    let message = ToWorker { epoch: Epoch(4), session: 2, number: 3, order: Order::Assign(grants) };
    let encoded = encode_to_worker(&message);
    golden::check("devices_granted", std::slice::from_ref(&encoded), &format!("{message:#?}\n"));
    assert_eq!(decode_to_worker(&encoded), Ok(message));
    let hello = News::Hello { offers: samples::offers(), lease: None, reports_from: 1 };
    check_news("devices_offered", &[from_worker(hello)]);
}

/// What came to hellos with sites.
#[test]
fn a_hello_with_labels_is_written_as_its_golden_file_and_read_back() {
    let hello = News::Hello { offers: samples::site_offers(), lease: None, reports_from: 1 };
    check_news("sites_offered", &[from_worker(hello)]);
}

/// What came to ends with calls.
#[test]
fn the_ends_of_calls_are_written_as_their_golden_file_and_read_back() {
    let end = AttemptEnd { spent: samples::SPENT, ..AttemptEnd::default() };
    let ended =
        |outcome, retry_after| AttemptEvent::Ended { outcome, end, tasks: None, retry_after };
    let mut events: Vec<_> = samples::CALL_OUTCOMES.map(|outcome| ended(outcome, None)).into();
    events.push(ended(samples::CALL_OUTCOMES[2], Some(Span::secs(30))));
    events.push(ended(samples::CALL_OUTCOMES[2], Some(Span::ZERO)));
    check_news("calls_told", &[reports(events)]);
}

#[test]
fn all_news_and_events_are_written_as_their_golden_files_and_read_back() {
    for &name in NEWS_KINDS {
        let messages: Vec<FromWorker> =
            news().into_iter().filter(|message| news_kind(&message.news) == name).collect();
        check_news(name, &messages);
    }
    for &name in EVENT_KINDS {
        let saved = AttemptEvent::Checkpointed { age: Span::millis(1_500) };
        let all = events().into_iter().chain([saved]);
        let of_kind = all.filter(|event| event_kind(event) == name);
        check_news(name, &[reports(of_kind.collect())]);
    }
}
