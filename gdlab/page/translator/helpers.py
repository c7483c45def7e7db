"""JavaScript sources of helper functions that translated programs include.

Special functions use the same algorithms as NumPy and XLA: fdlibm for the error function, M.
Giles's polynomials for its inverse, Lanczos's series for the gamma function.
"""

_ERF = """\
function erf(x){
if(x!==x)return x;
const a=Math.abs(x);
if(a<0.84375){
if(a<3.725290298461914e-9)return x+1.2837916709551257e-01*8*x/8;return x+x*erfSmall(x*x)}
if(a<1.25)return Math.sign(x)*(0.8450629115104675+erfMiddle(a-1));
if(a>=6)return Math.sign(x);
return Math.sign(x)*(1-erfTail(a)/a)}"""

_ERFC = """\
function erfc(x){
if(x!==x)return x;
const a=Math.abs(x);
if(a<0.84375)return x<0.25?1-(x+x*erfSmall(x*x)):0.5-(x-0.5+x*erfSmall(x*x));
if(a<1.25){const m=erfMiddle(a-1);return x>0?1-0.8450629115104675-m:1+(0.8450629115104675+m)}
if(a>=28)return x>0?0:2;
const t=erfTail(a)/a;return x>0?t:2-t}"""

_ERF_SMALL = """\
function erfSmall(z){
const r=1.28379167095512558561e-01+z*(-3.25042107247001499370e-01+z*(-2.84817495755985104766e-02\
+z*(-5.77027029648944159157e-03+z*-2.37630166566501626084e-05)));
const s=1+z*(3.97917223959155352819e-01+z*(6.50222499887672944485e-02+z*(5.08130628187576562776e-03\
+z*(1.32494738004321644526e-04+z*-3.96022827877536812320e-06))));
return r/s}"""

_ERF_MIDDLE = """\
function erfMiddle(s){
const p=-2.36211856075265944077e-03+s*(4.14856118683748331666e-01+s*(-3.72207876035701323847e-01\
+s*(3.18346619901161753674e-01+s*(-1.10894694282396677476e-01+s*(3.54783043256182359371e-02\
+s*-2.16637559486879084300e-03)))));
const q=1+s*(1.06420880400844228286e-01+s*(5.40397917702171048937e-01+s*(7.18286544141962662868e-02\
+s*(1.26171219808761642112e-01+s*(1.36370839120290507362e-02+s*1.19844998467991074170e-02)))));
return p/q}"""

_ERF_TAIL = """\
function erfTail(a){
const s=1/(a*a);let r,q;
if(a<1/0.35){
r=-9.86494403484714822705e-03+s*(-6.93858572707181764372e-01+s*(-1.05586262253232909814e+01\
+s*(-6.23753324503260060396e+01+s*(-1.62396669462573470355e+02+s*(-1.84605092906711035994e+02\
+s*(-8.12874355063065934246e+01+s*-9.81432934416914548592e+00))))));
q=1+s*(1.96512716674392571292e+01+s*(1.37657754143519042600e+02+s*(4.34565877475229228821e+02\
+s*(6.45387271733267880336e+02+s*(4.29008140027567833386e+02+s*(1.08635005541779435134e+02\
+s*(6.57024977031928170135e+00+s*-6.04244152148580987438e-02)))))))}
else{
r=-9.86494292470009928597e-03+s*(-7.99283237680523006574e-01+s*(-1.77579549177547519889e+01\
+s*(-1.60636384855821916062e+02+s*(-6.37566443368389627722e+02+s*(-1.02509513161107724954e+03\
+s*-4.83519191608651397019e+02)))));
q=1+s*(3.03380607434824582924e+01+s*(3.25792512996573918826e+02+s*(1.53672958608443695994e+03\
+s*(3.19985821950859553908e+03+s*(2.55305040643316442583e+03+s*(4.74528541206955367215e+02\
+s*-2.24409524465858183362e+01))))))}
const h=new Float64Array([a]);new Uint32Array(h.buffer)[0]=0;
const z=h[0];return Math.exp(-z*z-0.5625)*Math.exp((z-a)*(z+a)+r/q)}"""

_ERF_INV = """\
function erf_inv(x){
if(Math.abs(x)===1)return x*Infinity;
let w=-Math.log1p(-x*x),c;
if(w<6.25){w-=3.125;c=[-3.6444120640178196996e-21,-1.685059138182016589e-19,\
1.2858480715256400167e-18,1.115787767802518096e-17,-1.333171662854620906e-16,\
2.0972767875968561637e-17,6.6376381343583238325e-15,-4.0545662729752068639e-14,\
-8.1519341976054721522e-14,2.6335093153082322977e-12,-1.2975133253453532498e-11,\
-5.4154120542946279317e-11,1.051212273321532285e-09,-4.1126339803469836976e-09,\
-2.9070369957882005086e-08,4.2347877827932403518e-07,-1.3654692000834678645e-06,\
-1.3882523362786468719e-05,0.0001867342080340571352,-0.00074070253416626697512,\
-0.0060336708714301490533,0.24015818242558961693,1.6536545626831027356]}
else if(w<16){w=Math.sqrt(w)-3.25;c=[2.2137376921775787049e-09,9.0756561938885390979e-08,\
-2.7517406297064545428e-07,1.8239629214389227755e-08,1.5027403968909827627e-06,\
-4.013867526981545969e-06,2.9234449089955446044e-06,1.2475304481671778723e-05,\
-4.7318229009055733981e-05,6.8284851459573175448e-05,2.4031110387097893999e-05,\
-0.0003550375203628474796,0.00095328937973738049703,-0.0016882755560235047313,\
0.0024914420961078508066,-0.0037512085075692412107,0.005370914553590063617,\
1.0052589676941592334,3.0838856104922207635]}
else{w=Math.sqrt(w)-5;c=[-2.7109920616438573243e-11,-2.5556418169965252055e-10,\
1.5076572693500548083e-09,-3.7894654401267369937e-09,7.6157012080783393804e-09,\
-1.4960026627149240478e-08,2.9147953450901080826e-08,-6.7711997758452339498e-08,\
2.2900482228026654717e-07,-9.9298272942317002539e-07,4.5260625972231537039e-06,\
-1.9681778105531670567e-05,7.5995277030017761139e-05,-0.00021503011930044477347,\
-0.00013871931833623122026,1.0103004648645343977,4.8499064014085844221]}
return x*c.reduce((p,k)=>p*w+k)}"""

_LANCZOS = """\
function lanczos(x){
const c=[676.520368121885098567009190444019,-1259.13921672240287047156078755283,\
771.3234287776530788486528258894,-176.61502916214059906584551354,12.507343278686904814458936853,\
-0.13857109526572011689554707,9.984369578019570859563e-6,1.50563273514931155834e-7];
let sum=0.99999999999980993227684700473478,slope=0;
for(let i=0;i<8;i++){sum+=c[i]/(x+i+1);slope-=c[i]/((x+i+1)*(x+i+1))}
return[sum,slope]}"""

_LGAMMA = """\
function lgamma(x){
if(Math.abs(x)===Infinity)return Infinity;
if(x<0.5){const f=Math.abs(x)-Math.floor(Math.abs(x)),s=Math.abs(Math.sin(Math.PI*(f>0.5?1-f:f)));
return s===0?Infinity:Math.log(Math.PI)-Math.log(s)-lgamma(1-x)}
const z=x-1,t=z+7.5,l=Math.log(7.5)+Math.log1p(z/7.5);
return(z+0.5-t/l)*l+0.9189385332046727+Math.log(lanczos(z)[0])}"""

_DIGAMMA = """\
function digamma(x){
if(x<=0&&Math.floor(x)===x)return NaN;
if(x<0.5){const f=x+Math.abs(Math.floor(x+0.5));
return digamma(1-x)-Math.PI*Math.cos(Math.PI*f)/Math.sin(Math.PI*f)}
const z=x-1,[s,d]=lanczos(z);
return Math.log(7.5)+Math.log1p(z/7.5)+d/s-7/(z+7.5)}"""

_POW = """\
function pow(x,y){return x===1||x===-1&&Math.abs(y)===Infinity?1:Math.pow(x,y)}"""

_ROUND_TO_EVEN = """\
function round_to_even(x){
if(Math.abs(x)>=4503599627370496||x!==x)return x;
const r=x<0?(x-4503599627370496)+4503599627370496:(x+4503599627370496)-4503599627370496;
return r===0?x*0:r}"""

_POWER_OF_TWO_NEAR = """\
function power_of_two_near(x){
const size=Math.abs(x),power=2**Math.floor(Math.log2(size));
return x===0||!Number.isFinite(size)?x:Math.sign(x)*power*(size>1.5*power?2:1)}"""

_ROUND_FROM_ZERO = """\
function round_from_zero(x){
const t=Math.trunc(x);return Math.abs(x-t)>=0.5?t+Math.sign(x):t}"""

_NEXTAFTER = """\
function nextafter(x,y){
if(x!==x||y!==y)return NaN;
if(x===y)return y;
if(x===0)return y>0?5e-324:-5e-324;
const f=new Float64Array([x]),b=new BigInt64Array(f.buffer);
b[0]+=(y>x)===(x>0)?1n:-1n;return f[0]}"""

_INTEGER = """\
function integer(x,low,high){return x!==x?0:Math.min(Math.max(Math.trunc(x),low),high)+0}"""

_BIG_INTEGER = """\
function big_integer(x,low,high){
return x!==x?0n:x<=Number(low)?low:x>=Number(high)?high:BigInt(Math.trunc(x))}"""

# Divisions by 0 have the results that XLA gives them.
_WHOLE = {
    "quotient": "(a,b){return b===0?-1:Math.trunc(a/b)+0}",
    "remainder": "(a,b){return b===0?a:a%b+0}",
    "big_quotient": "(a,b){return b===0n?-1n:a/b}",
    "big_remainder": "(a,b){return b===0n?a:a%b}",
    "big_abs": "(a){return a<0n?-a:a}",
    "big_sign": "(a){return a>0n?1n:a<0n?-1n:0n}",
    "big_max": "(a,b){return a>b?a:b}",
    "big_min": "(a,b){return a<b?a:b}",
    "shifted": "(a,b){return b>=0&&b<32?a<<b:0}",
    "logically_shifted": "(a,b){return b>=0&&b<32?a>>>b:0}",
    "arithmetically_shifted": "(a,b){return a>>(b>=0&&b<32?b:31)}",
    "big_shifted": "(a,b){return b>=0n&&b<64n?a<<b:0n}",
    "big_logically_shifted": "(a,b){return b>=0n&&b<64n?BigInt.asUintN(64,a)>>b:0n}",
    "big_arithmetically_shifted": "(a,b){return a>>(b>=0n&&b<64n?b:63n)}",
}

_SINGLE = """\
function single(x){
const d=Number(x),f=Math.fround(d);if(BigInt(d)===x||d===f)return f;
const o=new Float64Array([d]),b=new BigInt64Array(o.buffer);
if(!(b[0]&1n))b[0]+=(BigInt(d)<x)===(d>0)?1n:-1n;return Math.fround(o[0])}"""

_EXACT = """\
function exact(x){
const d=Number(x);
if(BigInt(d)!==x||Math.abs(d)>9007199254740992)
throw new RangeError(`the integer ${x} is beyond 2⁵³, which the page cannot keep`);
return d}"""

_BEFORE = """\
function before(x,y){
if(x!==x||y!==y)return x===x;
return x<y||x===0&&y===0&&Object.is(x,-0)&&!Object.is(y,-0)}"""

_DECODED = """\
function decoded(text){return Uint8Array.from(atob(text),c=>c.charCodeAt(0)).buffer}"""

_THREEFRY = """\
function threefry(k0,k1,x0,x1,half){
const ks=[k0,k1,k0^k1^0x1BD11BDA],rotations=[[13,15,26,6],[17,29,16,24]];
x0=x0+k0|0;x1=x1+k1|0;
for(let i=0;i<5;i++){
for(const r of rotations[i%2]){x0=x0+x1|0;x1=(x1<<r|x1>>>32-r)^x0}
x0=x0+ks[(i+1)%3]|0;x1=x1+ks[(i+2)%3]+i+1|0}
return(half?x1:x0)>>>0}"""

_RUNNING = """\
function running(x,out,n,combine){
for(let i=0;i<x.length;i++)out[i]=i%n?combine(out[i-1],x[i]):x[i]}"""

_EXTREMUM = """\
function extremum(x,out,n,sign){
for(let i=0;i<out.length;i++){
let best=0;
for(let j=1;j<n;j++){const a=x[i*n+best],b=x[i*n+j];if(a!==a)break;
if(b!==b||(sign>0?b>a:b<a))best=j}
out[i]=best}}"""

_SORT = """\
function sort(...all){
const n=all.pop(),m=all.length/2,keys=all[0];
const first=(a,b)=>a!==a?(b!==b?0:1):b!==b?-1:a<b?-1:a>b?1:0;
for(let i=0;i<keys.length;i+=n){
const order=Array.from({length:n},(_,j)=>i+j).sort((a,b)=>first(keys[a],keys[b])||a-b);
for(let k=0;k<m;k++)order.forEach((from,j)=>{all[m+k][i+j]=all[k][from]})}}"""

_LARGEST = """\
function largest(x,values,places,n,k){
const after=(a,b)=>a!==a?(b!==b?0:-1):b!==b?1:a>b?-1:a<b?1:0;
for(let i=0;i*n<x.length;i++){
const order=Array.from({length:n},(_,j)=>j).sort((a,b)=>after(x[i*n+a],x[i*n+b])||a-b);
for(let j=0;j<k;j++){values[i*k+j]=x[i*n+order[j]];places[i*k+j]=order[j]}}}"""

_SOLVE_TRIANGULAR = """\
function solve_triangular(a,b,out,n,m,lower,unit){
for(let s=0;s*n*m<b.length;s++)for(let c=0;c<m;c++)for(let r=0;r<n;r++){
const i=lower?r:n-1-r;let t=b[s*n*m+i*m+c];
for(let q=0;q<r;q++){const j=lower?q:n-1-q;t-=a[s*n*n+i*n+j]*out[s*n*m+j*m+c]}
out[s*n*m+i*m+c]=unit?t:t/a[s*n*n+i*n+i]}}"""

_LU = """\
function lu(matrices,out,pivots,order,n){
out.set(matrices);
for(let s=0;s*n*n<out.length;s++){
const at=(i,j)=>s*n*n+i*n+j;
for(let i=0;i<n;i++)order[s*n+i]=i;
for(let k=0;k<n;k++){
let p=k;for(let i=k+1;i<n;i++)if(Math.abs(out[at(i,k)])>Math.abs(out[at(p,k)]))p=i;
pivots[s*n+k]=p;
if(p!==k){
for(let j=0;j<n;j++)[out[at(k,j)],out[at(p,j)]]=[out[at(p,j)],out[at(k,j)]];
[order[s*n+k],order[s*n+p]]=[order[s*n+p],order[s*n+k]]}
for(let i=k+1;i<n;i++){
const f=out[at(k,k)]===0?0:out[at(i,k)]/out[at(k,k)];out[at(i,k)]=f;
for(let j=k+1;j<n;j++)out[at(i,j)]-=f*out[at(k,j)]}}}}"""

_EIGH = """\
function eigh(matrices,vectors,values,n){
for(let m=0;m<matrices.length/(n*n);m++){
const a=matrices.slice(m*n*n,(m+1)*n*n),v=new Float64Array(n*n);
for(let i=0;i<n;i++)v[i*n+i]=1;
for(let sweep=0;sweep<60;sweep++){
let rotated=false;
for(let p=0;p<n;p++)for(let q=p+1;q<n;q++){
const x=a[p*n+q],y=a[p*n+p],z=a[q*n+q];
if(x===0||Math.abs(y)+Math.abs(x)/1e4===Math.abs(y)&&Math.abs(z)+Math.abs(x)/1e4===Math.abs(z))continue;
rotated=true;
const d=(z-y)/(2*x),t=(d<0?-1:1)/(Math.abs(d)+Math.hypot(d,1)),c=1/Math.hypot(t,1),s=t*c;
for(let k=0;k<n;k++){
if(k!==p&&k!==q){const f=a[k*n+p],g=a[k*n+q];a[k*n+p]=a[p*n+k]=c*f-s*g;a[k*n+q]=a[q*n+k]=s*f+c*g}
const f=v[k*n+p],g=v[k*n+q];v[k*n+p]=c*f-s*g;v[k*n+q]=s*f+c*g}
a[p*n+p]=y-t*x;a[q*n+q]=z+t*x;a[p*n+q]=a[q*n+p]=0}
if(!rotated)break}
const order=Array.from({length:n},(_,i)=>i).sort((i,j)=>a[i*n+i]-a[j*n+j]);
order.forEach((i,j)=>{values[m*n+j]=a[i*n+i];
for(let k=0;k<n;k++)vectors[m*n*n+k*n+j]=v[k*n+i]})}}"""

_CHOLESKY = """\
function cholesky(matrices,out,n){
out.fill(0);
for(let m=0;m<matrices.length;m+=n*n)for(let i=0;i<n;i++)for(let j=0;j<=i;j++){
let t=matrices[m+i*n+j];
for(let k=0;k<j;k++)t-=out[m+i*n+k]*out[m+j*n+k];
out[m+i*n+j]=i===j?Math.sqrt(t):t/out[m+j*n+j]}}"""


def _reinterpreted(before: str, after: str) -> str:
    arrays = {"uint64": "BigUint64Array", "int64": "BigInt64Array"}
    arrays |= {"uint32": "Uint32Array", "int32": "Int32Array"}
    arrays |= {"float32": "Float32Array", "float64": "Float64Array"}
    result = f"new {arrays[after]}(new {arrays[before]}([x]).buffer)[0]"
    return f"function bits_{before}_{after}(x){{return {result}}}"


_OF_WIDTH = (("uint64", "int64", "float64"), ("uint32", "int32", "float32"))

HELPERS = {
    "erf": _ERF,
    "erfc": _ERFC,
    "erfSmall": _ERF_SMALL,
    "erfMiddle": _ERF_MIDDLE,
    "erfTail": _ERF_TAIL,
    "erf_inv": _ERF_INV,
    "lanczos": _LANCZOS,
    "lgamma": _LGAMMA,
    "digamma": _DIGAMMA,
    "pow": _POW,
    "round_to_even": _ROUND_TO_EVEN,
    "power_of_two_near": _POWER_OF_TWO_NEAR,
    "round_from_zero": _ROUND_FROM_ZERO,
    "nextafter": _NEXTAFTER,
    "integer": _INTEGER,
    "big_integer": _BIG_INTEGER,
    **{name: f"function {name}{body}" for name, body in _WHOLE.items()},
    "single": _SINGLE,
    "exact": _EXACT,
    "before": _BEFORE,
    "decoded": _DECODED,
    "threefry": _THREEFRY,
    "running": _RUNNING,
    "extremum": _EXTREMUM,
    "sort": _SORT,
    "largest": _LARGEST,
    "solve_triangular": _SOLVE_TRIANGULAR,
    "lu": _LU,
    "eigh": _EIGH,
    "cholesky": _CHOLESKY,
    **{
        f"bits_{before}_{after}": _reinterpreted(before, after)
        for width in _OF_WIDTH
        for before in width
        for after in width
        if before != after
    },
}
"""Each helper's name and its source."""
