pub(crate) type Spread = [f64; 3];
pub(crate) fn spread(mut v: Vec<f64>) -> Spread {
    v.sort_by(f64::total_cmp);
    let n = v.len();
    [v[n / 4], v[n / 2], v[n * 3 / 4]]
}
