/// Takes a figure of this crate and one of its floor or peer, so many times in turns, who is
/// first by turn: both meet the same moods of the machine. `take` is told whether it is ours;
/// the answer has that of the floor before ours.
pub(crate) async fn in_turns<T>(turns: usize, mut take: impl AsyncFnMut(bool) -> T) -> Vec<[T; 2]> {
    let mut pairs = Vec::new();
    for turn in 0..turns {
        pairs.push(if turn % 2 == 0 {
            let ours = take(true).await;
            [take(false).await, ours]
        } else {
            [take(false).await, take(true).await]
        });
    }
    pairs
}
