-- Requests that led to no door are kept beside those that were refused.
--
-- A mistyped address in a dealer's setup costs no lead. Such a request has no feed, which is how the two are told apart:
-- each kind has bounds of its own. Of its path the words are kept that doors are made of, of a credential that has proven
-- itself the name.

alter table intake.rejected add column credential text;

comment on column intake.rejected.path is 'Where it was posted to; where that is no door, * stands for each word that no door has';
comment on column intake.rejected.feed is 'Kind of delivery that it would have been; absent where it was posted to no door';
comment on column intake.rejected.credential is 'Name of the credential that has proven itself; absent where none has';
comment on column intake.rejected.body is 'The body, its Content-Encoding undone; absent where it could not be kept whole, and of requests to no door where nobody vouches for it';
comment on table intake.rejected is 'Requests that came without a valid credential, or to no door, kept for a while; nothing is applied from here by itself';
comment on column intake.deliveries.replays is 'Each replay that a person asked for, oldest first: at, attempt, and outcome, changes and codes of findings, before it and as it made them; before it the feed, too, where the replay applied it as another';
