//! What the broken stores do wrong.

macro_rules! faults {
    ($($fault:ident,)*) => {
        /// One thing that a store does wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Fault {
            $($fault,)*
        }

        impl Fault {
            pub(crate) const ALL: &[Fault] = &[$(Self::$fault,)*];
        }
    };
}

faults! {
    // record
    InsertedSaysAlreadyPresent,
    AlreadyPresentSaysInserted,
    OtherIdSaysAlreadyPresent,
    OtherIdMovesTheMessage,
    RecordUpdatesThePlace,
    RecordAnswersBackwards,
    RecordArrivesBackwards,
    RecordSkipsTheLastOfMany,
    LosesLabels,
    LosesBaseUrls,
    LosesAccounts,
    LowersLetterCase,
    RoundsSentAtToSeconds,
    // confirm
    ConfirmsTwice,
    QueuesAgainAfterDelivery,
    AlreadyConfirmedSaysQueued,
    QueuedSaysAlreadyConfirmed,
    UnknownSaysAlreadyConfirmed,
    QueuedIsNotQueued,
    NewestConfirmsAll,
    AllConfirmsNewest,
    NewestIsTheOldest,
    NewestIsTheLastToArrive,
    NewestSkipsTheConfirmed,
    ScheduledHidesSent,
    ScheduledIsNeverConfirmed,
    PreviousKeyIsIgnored,
    PreviousKeyComesFirst,
    AllIgnoresThePreviousKey,
    UnrecordedMessageIsUnknown,
    MessageConfirmsTheNewestOfItsId,
    ConfirmAnswersBackwards,
    ConfirmDropsDuplicates,
    ConfirmedTooEarly,
    // lease
    LeaseDoesNotHold,
    LeaseHoldsForTwiceAsLong,
    LeasesEarly,
    LeaseEndsByAStepBack,
    TokenIsReused,
    LimitIsIgnored,
    AccountBoundsAreIgnored,
    BoundOfZeroIsIgnored,
    LeaseForgetsAttempts,
    LeaseCountsAnAttempt,
    AgeIsAlwaysZero,
    AgeRunsOnAfterAResend,
    LeasedBaseUrlIsTheDefault,
    NextDueIsNone,
    NextDueIsOff,
    NextDueCountsWhatIsDue,
    MoreDueNever,
    MoreDueAlways,
    AccountsWaitForTheirBetters,
    EntriesComeBackwards,
    // settle
    TokenIsIgnored,
    LeaseLostSaysSettled,
    LateSettlementIsRefused,
    RetryIsDueAtOnce,
    RetryForgetsAttempts,
    RetryKeepsTheLease,
    RetryDelivers,
    DeliveredDies,
    DeadIsDelivered,
    DeliveredLeavesNothing,
    FailuresLoseTheirCode,
    FailuresAreAllRejected,
    SettleAnswersBackwards,
    SettlesTheFirstOfABatch,
    // expire
    ExpiresEarly,
    ExpiresTheOutbox,
    ExpiresTheLedgerEarly,
    ExpiresDeadLettersEarly,
    ExpiresNothing,
    ExpiresEverythingAtOnce,
    ExpireAnswersOneMore,
    // forget
    ForgetLeavesTheOutbox,
    ForgetForgetsTheNewestAlone,
    ForgetIgnoresThePreviousKey,
    ForgetAnswersOneMore,
    ForgetMessageForgetsItsId,
    // questions
    LookupShowsTheOldestFirst,
    LookupIgnoresThePreviousKey,
    LookupHidesTheDelivered,
    BySidAnswersBackwards,
    BySidSkipsTheUnknown,
    DeadLettersRepeatTheLastOfAPage,
    DeadLettersComeBackwards,
    DeadLettersIgnoreTheLimit,
    DeadLettersShowWhatWasSentAgain,
    CountsForgetTheDelivered,
    OutboxCountsTheUnleasedAlone,
    OldestAgeIsNone,
    CountsExpiredTwice,
    // resend
    ResendsWhatIsNotDead,
    ResentSaysNotDead,
    ResentIsDueLater,
    ResendConfirmsAnew,
    // bounds
    MessagesAreUnbounded,
    FullInsteadOfGivingWay,
    TheNewestGivesWay,
    OutboxIsUnbounded,
    DeadLettersAreUnbounded,
    FullIsUnknown,
    // many tasks
    ConfirmLooksBeforeItLeaps,
    RecordLooksBeforeItLeaps,
    SettleLooksBeforeItLeaps,
    ResendLooksBeforeItLeaps,
    ForgetLooksBeforeItLeaps,
}
