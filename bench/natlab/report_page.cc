#include "bench/natlab/report_page.h"

namespace jsp::natlab {

const std::string_view kReportStyle = R"css(
:root{color-scheme:light dark;--ground:#f6f7f9;--card:#fff;--ink:#1b2330;--faint:#566173;--line:#d9dee6;
--direct:#8fd3a6;--relay:#f5c96a;--none:#ef9a93;--wrong:#b3261e;--bar:#1f5fd6;--tail:#9dbcf2;--second:#b3570c}
@media(prefers-color-scheme:dark){:root{--ground:#12161d;--card:#1b212b;--ink:#e8ecf2;--faint:#a3afc0;--line:#3a4454;
--direct:#24774a;--relay:#8a6114;--none:#8f342c;--wrong:#ff8a80;--bar:#7aa7ff;--tail:#34507f;--second:#ffb066}}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:76rem;margin:0 auto;padding:1rem}h1{font-size:1.6rem;margin:.5rem 0}h2{font-size:1.15rem;margin:0 0 .6rem}
h3{font-size:1rem;margin:.8rem 0 .3rem}h4{font-size:.95rem;margin:.8rem 0 .2rem}section{background:var(--card);border:1px solid var(--line);border-radius:.6rem;
padding:1rem;margin:1rem 0}.wide{overflow-x:auto;margin:0 -.3rem;padding:.3rem}
.wide tbody th,.wide thead td,.wide thead th:first-child{position:sticky;left:-.3rem;background:var(--card);z-index:1}p,dd,li{margin:.3rem 0}.faint,p.note{color:var(--faint)}
table{border-collapse:separate;border-spacing:2px}th{font-weight:600;padding:.25rem .5rem;text-align:left;white-space:nowrap}
thead th{text-align:center}td.number{text-align:right;font-variant-numeric:tabular-nums;padding:.25rem .6rem}
.cell{font:inherit;color:inherit;width:100%;min-width:4.6rem;padding:.35rem .3rem;border:2px solid transparent;
border-radius:.35rem;cursor:pointer;text-align:center;line-height:1.2;font-variant-numeric:tabular-nums}
.cell small{display:block;white-space:nowrap}.direct{--hue:var(--direct)}.relay{--hue:var(--relay)}.none{--hue:var(--none)}.direct,.relay,.none{background:var(--hue);
background:color-mix(in srgb,var(--hue) var(--heat,100%),var(--card))}
.t0{--heat:35%}.t1{--heat:50%}.t2{--heat:67%}.t3{--heat:84%}.wrong{border:2px solid var(--wrong)}
.cell:hover,.cell[aria-pressed=true]{box-shadow:0 0 0 2px var(--ink)}.cell:focus-visible,summary:focus-visible{
outline:3px solid var(--bar);outline-offset:1px}
.legend span{display:inline-block;padding:.1rem .7rem;border-radius:.35rem;margin:0 .5rem .3rem 0}
.share{display:flex;height:1.1rem;border-radius:.35rem;overflow:hidden;margin:.2rem 0 .4rem;max-width:46rem}
.bars th{text-align:left}
svg{display:block;max-width:100%;height:auto;font:13px system-ui,sans-serif}.wide svg{max-width:none}svg text{fill:var(--ink)}
svg .axis{stroke:var(--line)}svg .bar{fill:var(--bar)}svg .tail{fill:var(--tail)}svg .dim{fill:var(--faint)}
svg .first{stroke:var(--bar);fill:none;stroke-width:2}svg .second{stroke:var(--second);fill:none;stroke-width:2;
stroke-dasharray:6 3}code{background:var(--ground);padding:.1rem .3rem;border-radius:.25rem;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:max-content 1fr;gap:0 1rem;margin:.4rem 0}dt{color:var(--faint)}dd{margin:0}
#detail{min-height:4rem}
@media(max-width:30rem){main{padding:.5rem}section{padding:.7rem}.cell{min-width:4rem;font-size:.9rem}
dl{grid-template-columns:1fr;gap:0}dt{margin-top:.4rem}}
)css";

// Cells say all they know when they are chosen, by mouse or by keyboard (arrows move between them).
const std::string_view kReportScript = R"js(
(function(){
const data=JSON.parse(document.getElementById('data').textContent);
const detail=document.getElementById('detail');
const text=t=>String(t).replace(/[&<>"]/g,c=>({'&':'&amp;','<':'&lt;','>':'&gt;','"':'&quot;'}[c]));
// No wider than there is room, so that text keeps its size on a phone.
const room=()=>Math.max(280,Math.min(640,detail.clientWidth||640));
const ms=n=>n.toFixed(n<10?1:0)+' ms';
function cdf(series,label){
  const all=series.flatMap(s=>s.values);if(!all.length)return '';
  // The axis ends at a round number beyond the last value, with four or five steps of 1, 2 or 5 times a power of ten.
  const most=Math.max(...all),power=10**Math.floor(Math.log10(most/4)),step=power*[1,2,5,10].find(n=>most/(n*power)<=5);
  const count=Math.ceil(most*1.001/step),top=count*step,w=room(),h=200,left=48,base=h-28;
  const x=v=>left+(w-left-10)*v/top,y=p=>base-(base-10)*p;
  let svg='<svg viewBox="0 0 '+w+' '+h+'" width="'+w+'" role="img" aria-label="'+text(label)+'">';
  for(let i=0;i<=4;i++)svg+='<line class="axis" x1="'+left+'" x2="'+(w-10)+'" y1="'+y(i/4)+'" y2="'+y(i/4)+'"/>'+
    '<text class="dim" x="'+(left-6)+'" y="'+(y(i/4)+4)+'" text-anchor="end">'+i*25+' %</text>';
  for(let i=0;i<=count;i++)if(i===count||w>400||(!(i%2)&&i<count-1))svg+='<text class="dim" x="'+x(i*step)+'" y="'+(h-8)+'" text-anchor="'+(i<count?'middle':'end')+'">'+
    +(i*step).toPrecision(6)+(i<count?'':' ms')+'</text>';
  series.forEach(s=>{const v=[...s.values].sort((a,b)=>a-b);if(!v.length)return;
    let d='M'+x(0)+' '+y(0)+'H'+x(v[0]);v.forEach((t,i)=>{d+='V'+y((i+1)/v.length)+'H'+x(i+1<v.length?v[i+1]:top);});
    svg+='<path class="'+s.style+'" d="'+d+'"/>';});
  return svg+'</svg>';
}
const ci=c=>c?' <span class="faint">('+c.map(n=>n.toFixed(n<10?1:0)).join('–')+')</span>':'';
const percent=r=>Math.round(r.share*100)+' % <span class="faint">('+r.ci95.map(n=>Math.round(n*100)).join('–')+' %)</span>';
// Medians of the steps on one axis: a bar until each is reached.
function timeline(c){
  const steps=[['first valid pair',c.first_valid_ms],['DTLS done',c.dtls_ms],['first message',c.time_to_first_message_ms],
    ['pair final',c.nominated_ms],['relay left',c.upgrade_to_direct_ms]].filter(s=>s[1]&&s[1].p50>0);
  if(!steps.length)return '';
  const top=Math.max(...steps.map(s=>s[1].p95||s[1].p50)),left=120,w=room(),row=24;
  const x=v=>left+(w-left-90)*v/top;
  let svg='<svg viewBox="0 0 '+w+' '+steps.length*row+'" width="'+w+'" role="img" aria-label="'+
    text('medians: '+steps.map(s=>s[0]+' '+ms(s[1].p50)).join(', '))+'">';
  steps.forEach(([name,d],i)=>{const y=i*row;
    svg+='<text x="'+(left-8)+'" y="'+(y+16)+'" text-anchor="end">'+name+'</text>'+
      '<rect class="tail" x="'+left+'" y="'+(y+7)+'" height="10" width="'+(x(d.p95)-left)+'"/>'+
      '<rect class="bar" x="'+left+'" y="'+(y+4)+'" height="16" width="'+(x(d.p50)-left)+'"/>'+
      '<text x="'+(x(d.p95)+6)+'" y="'+(y+16)+'">'+ms(d.p50)+'</text>';});
  return '<h4>Timeline</h4><p class="note">Medians from the start of gathering, as side a has them; the pale end is the 95th percentile.</p>'+svg+'</svg>';
}
const counts=o=>Object.entries(o).map(([k,n])=>text(k)+' × '+n).join(', ')||'–';
function show(button){
  document.querySelectorAll('.cell[aria-pressed=true]').forEach(b=>b.setAttribute('aria-pressed','false'));
  button.setAttribute('aria-pressed','true');
  const c=data.cells[+button.dataset.cell],o=c.observed,t=c.time_to_first_message_ms,u=c.upgrade_to_direct_ms;
  const any=c.samples.time_to_first_message_ms.length>0;
  detail.innerHTML='<h3>'+text(c.a)+' → '+text(c.b)+', '+(c.family==='ipv6'?'IPv6':'IPv4')+'</h3><dl>'+
    '<dt>expected</dt><dd>'+c.expected+(c.miss_chance?', but for one run in about '+Math.round(1/c.miss_chance):'')+(c.mismatches?' <b>('+c.mismatches+' runs differ)</b>':'')+'</dd>'+
    '<dt>observed</dt><dd>'+o.direct+' direct, '+o.relay+' relayed, '+o.none+' none</dd>'+
    (c.rates?'<dt>direct</dt><dd>'+percent(c.rates.direct)+'</dd>':'')+
    '<dt>why</dt><dd>'+(c.why?text(c.why):'a direct way is open')+'</dd>'+
    '<dt>pairs</dt><dd>'+counts(c.pair_types)+'</dd>'+
    (o.relay?'<dt>relay over</dt><dd>'+counts(c.relay_protocols)+'</dd>':'')+
    '<dt>first message</dt><dd>'+(any?'median '+ms(t.p50)+ci(t.p50_ci95)+', 95 % within '+ms(t.p95)+ci(t.p95_ci95)+', at most '+ms(t.max):'none came')+'</dd>'+
    (u.count?'<dt>relay left</dt><dd>'+u.count+' runs, median after '+ms(u.p50)+'</dd>':'')+
    (c.recovery_ms&&c.recovery_ms.count?'<dt>gap after events</dt><dd>median '+ms(c.recovery_ms.p50)+', 95 % within '+ms(c.recovery_ms.p95)+
      ', ICE restarted in '+c.samples.restarts.filter(n=>n>0).length+' of '+c.recovery_ms.count+' runs, another connection in '+
      c.samples.reconnects.filter(n=>n>0).length+'</dd>':'')+
    '<dt>checks sent</dt><dd>median '+c.checks_sent.p50+(c.bytes_sent?', and '+Math.round(c.bytes_sent.p50)+' octets in all':'')+'</dd>'+
    '<dt>again</dt><dd><code>jsp natlab '+(data.engine==='sim'?'':'--engine '+text(data.engine)+' ')+(data.scenario?'--scenario '+text(data.scenario)+' ':'')+(data.ways?text(data.ways)+' ':'')+'--types '+text(c.a===c.b?c.a:c.a+','+c.b)+' --runs '+data.runs+' --seed '+data.seed+
    ' --families '+c.family+(c.relay?'':' --no-relay')+'</code></dd></dl>'+
    timeline(c)+(c.samples.time_to_first_message_ms.length<2?'':'<h4>Distribution of the time to the first message</h4>'+
    cdf([{values:c.samples.time_to_first_message_ms,style:'first'}],'share of runs by time to the first message, in ms'));
}
document.addEventListener('click',e=>{const b=e.target.closest('.cell');if(b)show(b);});
document.addEventListener('keydown',e=>{
  const b=e.target.closest&&e.target.closest('.cell');if(!b)return;
  const step={ArrowLeft:[0,-1],ArrowRight:[0,1],ArrowUp:[-1,0],ArrowDown:[1,0]}[e.key];if(!step)return;
  const row=b.closest('tr'),rows=[...row.parentNode.children],column=[...row.children].indexOf(b.closest('td'));
  const next=rows[rows.indexOf(row)+step[0]],td=next&&next.children[column+step[1]];
  const other=td&&td.querySelector('.cell');if(other){other.focus();e.preventDefault();}
});
const direct=[],relayed=[];
data.cells.forEach(c=>(c.observed.direct>c.observed.relay?direct:relayed).push(...c.samples.time_to_first_message_ms));
document.getElementById('cdf').innerHTML=cdf([{values:direct,style:'first'},{values:relayed,style:'second'}],
  'share of runs by time to the first message, in ms: direct cells and relayed cells')||'<p>No message came in any run.</p>';
const start=document.querySelector('.cell.wrong')||document.querySelector('.cell.relay')||document.querySelector('.cell');
if(start)show(start);
})();
)js";

}  // namespace jsp::natlab
