//! geo: Vincenty's inverse formula between two points, Result with a unit error.
#![allow(non_snake_case)]
use ad_runtime::{Differentiable, differentiable};

const EQUATORIAL_EARTH_RADIUS: f64 = 6378.137;
const POLAR_EARTH_RADIUS: f64 = 6356.752314245;
const EARTH_FLATTENING: f64 = (EQUATORIAL_EARTH_RADIUS - POLAR_EARTH_RADIUS) / EQUATORIAL_EARTH_RADIUS;

#[derive(Eq, PartialEq, Debug)]
pub struct FailedToConvergeError;

#[derive(Clone, Copy, Debug, PartialEq, Differentiable)]
pub struct Point {
    pub lng: f64,
    pub lat: f64,
}

/// The units of the returned value is kilometers.
#[differentiable]
pub fn vincenty_distance(from: Point, to: Point) -> Result<f64, FailedToConvergeError> {
    let a = EQUATORIAL_EARTH_RADIUS;
    let b = POLAR_EARTH_RADIUS;
    let f = EARTH_FLATTENING;
    // Difference in longitude
    let L = (to.lng - from.lng).to_radians();
    // Reduced latitude (latitude on the auxiliary sphere)
    let U1 = ((1.0 - f) * from.lat.to_radians().tan()).atan();
    let U2 = ((1.0 - f) * to.lat.to_radians().tan()).atan();
    let (sinU1, cosU1) = U1.sin_cos();
    let (sinU2, cosU2) = U2.sin_cos();

    let mut cosSqAlpha;
    let mut sinSigma;
    let mut cos2SigmaM;
    let mut cosSigma;
    let mut sigma;
    let mut lambda = L;
    let mut lambdaP;
    let mut iterLimit = 100;

    loop {
        let (sinLambda, cosLambda) = lambda.sin_cos();
        sinSigma = ((cosU2 * sinLambda) * (cosU2 * sinLambda)
            + (cosU1 * sinU2 - sinU1 * cosU2 * cosLambda) * (cosU1 * sinU2 - sinU1 * cosU2 * cosLambda))
            .sqrt();
        if sinSigma == 0.0 {
            return if from == to {
                // coincident points
                Ok(0.0)
            } else {
                // antipodal points, for which vincenty does not converge
                Err(FailedToConvergeError)
            };
        }
        cosSigma = sinU1 * sinU2 + cosU1 * cosU2 * cosLambda;
        sigma = sinSigma.atan2(cosSigma);
        let sinAlpha = cosU1 * cosU2 * sinLambda / sinSigma;
        cosSqAlpha = 1.0 - sinAlpha * sinAlpha;
        if cosSqAlpha == 0.0 {
            // equatorial geodesics require special handling
            cos2SigmaM = 0.0;
        } else {
            cos2SigmaM = cosSigma - 2.0 * sinU1 * sinU2 / cosSqAlpha;
        }
        let C = f / 16.0 * cosSqAlpha * (4.0 + f * (4.0 - 3.0 * cosSqAlpha));
        lambdaP = lambda;
        lambda = L
            + (1.0 - C)
                * f
                * sinAlpha
                * (sigma
                    + C * sinSigma * (cos2SigmaM + C * cosSigma * (-1.0 + 2.0 * cos2SigmaM * cos2SigmaM)));
        if (lambda - lambdaP).abs() <= 1e-12 {
            break;
        }
        iterLimit -= 1;
        if iterLimit == 0 {
            break;
        }
    }
    if iterLimit == 0 {
        return Err(FailedToConvergeError);
    }

    let uSq = cosSqAlpha * (a * a - b * b) / (b * b);
    let A = 1.0 + uSq / 16384.0 * (4096.0 + uSq * (-768.0 + uSq * (320.0 - 175.0 * uSq)));
    let B = uSq / 1024.0 * (256.0 + uSq * (-128.0 + uSq * (74.0 - 47.0 * uSq)));
    let deltaSigma = B
        * sinSigma
        * (cos2SigmaM
            + B / 4.0
                * (cosSigma * (-1.0 + 2.0 * cos2SigmaM * cos2SigmaM)
                    - B / 6.0
                        * cos2SigmaM
                        * (-3.0 + 4.0 * sinSigma * sinSigma)
                        * (-3.0 + 4.0 * cos2SigmaM * cos2SigmaM)));
    Ok(b * A * (sigma - deltaSigma))
}

const X: &[f64] = &[17.072561, 48.154563, -3.7, 40.416];
fn pt(x: &[f64]) -> Point {
    Point { lng: x[0], lat: x[1] }
}
fn at(x: &[f64]) -> f64 {
    vincenty_distance(pt(&x[..2]), pt(&x[2..])).unwrap()
}
#[test]
fn exact() {
    crate::harness::check(
        "vincenty",
        X,
        at,
        |x| {
            let (value, (p, q)) = vincenty_distance_grad(pt(&x[..2]), pt(&x[2..])).unwrap();
            (value, vec![p.lng, p.lat, q.lng, q.lat])
        },
        |x, v| {
            let (p, q) = vincenty_distance_hvp(pt(&x[..2]), pt(&x[2..]), pt(&v[..2]), pt(&v[2..])).unwrap();
            vec![p.lng, p.lat, q.lng, q.lat]
        },
    );
}
