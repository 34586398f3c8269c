//! The table.

use nself::{
    desired::{Check, Container, HostBinding, Limits, MountSource, PortKey, Restart, Volume},
    engine::Refusal::{
        AddressTaken, Ambiguous, HostPathMissing, ImageMissing, InUse, Invalid, NameTaken,
        NoRegistry, NotExecutable, NotFound, NotRunning, PortTaken, SubnetTaken, Unsupported,
    },
    model::{ByteSize, Cpus, ImageRef},
    plan::Op,
};

use super::{
    super::{make, other_project},
    Case, Deed, NO_ADDRESS, NO_PLUGIN, NO_REGISTRY, NOBODY, NOWHERE, Scene, Stage, at, done, mount,
    refused,
};

/// In the order of a thing's life.
pub const CASES: &[Case] = &[
    // Making a network.
    refused("a network's name that is somebody else's", NameTaken, |s| {
        let net = make::network(&s.name("net"));
        let theirs = make::network_creation(&other_project(&s.prefix), &net);
        let ours = make::network_creation(&s.prefix, &net);
        s.ours(theirs).asks(ours)
    }),
    refused("a network's name that stands for two", Ambiguous, |s| {
        let again = s.network("net", |_, _| {});
        s.second_net().asks(again)
    }),
    refused("a subnet that is none", Invalid, |s| {
        let op = s.network("net", |net, _| net.subnet = Some("nonsense".into()));
        s.asks(op)
    }),
    refused("a subnet around another network's", SubnetTaken, |s| {
        let op = s.network("net", |net, subnet| {
            let (front, _) = subnet.rsplit_once('.').unwrap();
            net.subnet = Some(format!("{front}.0/24"));
        });
        s.fixed().asks(op)
    }),
    done("a network option that nobody knows", |s| {
        let op = s.network("net", |net, _| _ = net.options.insert("nonsense".into(), "1".into()));
        s.asks(op)
    }),
    // Making a volume, and putting files in it.
    refused("a volume driver that is not there", Unsupported, |s| {
        let op = volume(&s, |volume| volume.driver = NO_PLUGIN.into());
        s.asks(op)
    }),
    refused("another kind of volume under a used name", NameTaken, |s| {
        let (there, wanted) = (volume(&s, |_| {}), volume(&s, memory));
        s.ours(there).asks(wanted)
    }),
    done("a volume of a folder that is not there", |s| {
        let op = volume(&s, nowhere);
        s.asks(op)
    }),
    // Having an image.
    refused("a pull where no registry answers", NoRegistry, |s| {
        let image: ImageRef = format!("{NO_REGISTRY}/none:1").parse().unwrap();
        s.asks(Op::Pull { image: image.clone(), from: image })
    }),
    refused("a pull of what the registry does not have", ImageMissing, |s| {
        let port = s.port;
        let image: ImageRef = format!("127.0.0.1:{port}/none:1").parse().unwrap();
        s.theirs(Deed::EmptyRegistry(port)).asks(Op::Pull { image: image.clone(), from: image })
    }),
    done("removing an image that is not there", |s| {
        let image = format!("{}/none:1", s.prefix);
        s.asks(Op::RemoveImage { image })
    }),
    // Making a container.
    refused("a container's name that is somebody else's", NameTaken, |s| {
        let theirs = make::creation(&other_project(&s.prefix), &make::sleeper(&s.name("a")));
        s.ours(theirs).making(|_| {})
    }),
    refused("a container's name that is none", Invalid, |s| {
        let op = s.container("a b", |_| {});
        s.asks(op)
    }),
    refused("an image that is not there", ImageMissing, |s| {
        s.making(|c| c.image = "nself/none:1".parse().unwrap())
    }),
    refused("a network that is not there", NotFound, |s| {
        let net = s.name("none");
        s.making(|c| _ = c.networks.insert(net, make::attached(&[])))
    }),
    refused("a folder of the machine that is not there", HostPathMissing, |s| {
        s.making(|c| mount(c, "/data", MountSource::Bind(NOWHERE.into())))
    }),
    done("a mount of a volume that nobody made", |s| {
        let volume = s.name("volume");
        // Made before as well, so that it is ours to remove.
        let ours = self::volume(&s, |_| {});
        s.ours(ours).ours(Op::RemoveVolume { name: volume.clone() }).making(|c| {
            mount(c, "/data", MountSource::Volume(volume));
        })
    }),
    refused("less memory than a container needs", Invalid, |s| {
        s.making(|c| c.limits.memory = Some(ByteSize(5 << 20)))
    }),
    refused("more processors than there are", Invalid, |s| {
        s.making(|c| c.limits.cpus = Some(Cpus(9_999_000_000_000)))
    }),
    refused("a log option that is none", Invalid, |s| {
        s.making(|c| _ = c.log.options.insert("nonsense".into(), "1".into()))
    }),
    refused("a stop signal that is none", Invalid, |s| {
        s.making(|c| c.stop.signal = Some("SIGNONSENSE".into()))
    }),
    refused("processes of a container that is not there", NotFound, |s| {
        let pid = format!("container:{}", s.name("none"));
        s.making(|c| c.namespaces.pid = Some(pid))
    }),
    // Starting one.
    refused("a start of what is not there", NotFound, |s| {
        let start = Op::Start(s.a());
        s.asks(start)
    }),
    refused("a start of what is frozen", NotRunning, |s| {
        let start = Op::Start(s.a());
        s.frozen().asks(start)
    }),
    refused("a port that another container has", PortTaken, |s| {
        beside(s, ("127.0.0.1", "tcp"), ("127.0.0.1", "tcp"))
    }),
    refused("a port at all addresses that another container has at one", PortTaken, |s| {
        beside(s, ("127.0.0.1", "tcp"), ("0.0.0.0", "tcp"))
    }),
    done("a port that another container has for another protocol", |s| {
        beside(s, ("127.0.0.1", "tcp"), ("127.0.0.1", "udp"))
    }),
    done("a port that another container has at another address", |s| {
        beside(s, ("127.0.0.1", "tcp"), ("127.0.0.2", "tcp"))
    }),
    refused("a port that a program has", PortTaken, |s| {
        let (port, net) = (s.port, s.name("net"));
        s.net().theirs(Deed::Listen(port)).starting(|c| publish(c, net, 80, "127.0.0.1", port))
    }),
    refused("one port for two of a container's own", PortTaken, |s| {
        let (port, net) = (s.port, s.name("net"));
        s.net().starting(|c| {
            publish(c, net.clone(), 80, "127.0.0.1", port);
            publish(c, net, 81, "127.0.0.1", port);
        })
    }),
    refused("an address that the machine does not have", Invalid, |s| {
        let (port, net) = (s.port, s.name("net"));
        s.net().starting(|c| publish(c, net, 80, NO_ADDRESS, port))
    }),
    refused("a network that went", NotFound, |s| {
        let (net, start) = (s.name("net"), Op::Start(s.a()));
        let place = (net.clone(), make::attached(&[]));
        let gone = Deed::RemoveNetwork(net);
        s.net().has("a", |c| c.networks = [place].into()).theirs(gone).asks(start)
    }),
    done("a network that now stands for two", |s| {
        let (net, start) = (s.name("net"), Op::Start(s.a()));
        let place = (net.clone(), make::attached(&[]));
        let second = Deed::SecondNetwork(net);
        s.net().has("a", |c| c.networks = [place].into()).theirs(second).asks(start)
    }),
    refused("an address that another container has", AddressTaken, |s| {
        let (net, address) = (s.name("fixed"), s.subnet.1.clone());
        let place = (net, at(&address));
        s.fixed()
            .runs("b", |c| c.networks = [place.clone()].into())
            .starting(|c| c.networks = [place].into())
    }),
    refused("the address of the engine on a network", AddressTaken, |s| {
        let (front, last) = s.subnet.1.rsplit_once('.').unwrap();
        let gateway = format!("{front}.{}", last.parse::<u8>().unwrap() - 8);
        s.starting_at(&gateway)
    }),
    refused("a command that the image does not have", NotExecutable, |s| {
        s.starting(|c| c.command = Some(vec![NOWHERE.into()]))
    }),
    refused("a user that the image does not have", NotExecutable, |s| {
        s.starting(|c| c.user = Some(NOBODY.into()))
    }),
    done("a user by number that the image does not have", |s| {
        s.starting(|c| c.user = Some("12345:12345".into()))
    }),
    done("a working directory that the image does not have", |s| {
        s.starting(|c| c.workdir = Some("/not/there".into()))
    }),
    refused("a device that the machine does not have", HostPathMissing, |s| {
        s.starting(|c| _ = c.devices.insert(format!("{NOWHERE}:/dev/x:rwm")))
    }),
    refused("a kernel parameter of the whole machine", Invalid, |s| {
        s.starting(|c| _ = c.sysctls.insert("kernel.panic".into(), "1".into()))
    }),
    refused("a size of memory to mount that is none", Invalid, |s| {
        s.starting(|c| _ = c.tmpfs.insert("/data".into(), "size=nonsense".into()))
    }),
    refused("the least processor shares", Invalid, |s| {
        s.starting(|c| c.limits.cpu_shares = Some(1))
    }),
    refused("a volume of a folder that is not there", HostPathMissing, |s| {
        let (op, volume) = (volume(&s, nowhere), s.name("volume"));
        s.ours(op).starting(|c| mount(c, "/data", MountSource::Volume(volume)))
    }),
    // Changing one that is there.
    refused("a limit that is to go", Unsupported, |s| {
        let op = limits(&s, Limits::default());
        s.has("a", |c| c.limits.memory = Some(ByteSize(16 << 20))).asks(op)
    }),
    refused("a signal to what does not run", NotRunning, |s| {
        let op = Op::Signal { container: s.a(), signal: "SIGHUP".into() };
        s.has("a", |_| {}).asks(op)
    }),
    done("a signal to what is frozen", |s| {
        let op = Op::Signal { container: s.a(), signal: "SIGHUP".into() };
        s.frozen().asks(op)
    }),
    refused("a check in what does not run", NotRunning, |s| {
        let op = check(&s, "/bin/true");
        s.has("a", |_| {}).asks(op)
    }),
    refused("something removed inside what does not run", NotRunning, |s| {
        let op = Op::DropInner { inner: super::inner(&s), container: s.a() };
        s.has("a", |_| {}).asks(op)
    }),
    refused("a place on a network that is not there", NotFound, |s| {
        let op = connect(&s, "none", make::attached(&[]));
        s.runs("a", |_| {}).asks(op)
    }),
    refused("a place for one who was made without any", Unsupported, |s| {
        let op = connect(&s, "net", make::attached(&[]));
        s.net().runs("a", |_| {}).asks(op)
    }),
    refused("another place, where somebody is", AddressTaken, |s| {
        let (net, address) = (s.name("fixed"), s.subnet.1.clone());
        let (old, taken) = (make::attached(&["old"]), at(&address));
        let op = connect(&s, "fixed", taken.clone());
        s.fixed()
            .runs("b", |c| _ = c.networks.insert(net.clone(), taken))
            .runs("a", |c| _ = c.networks.insert(net.clone(), old))
            .asks(op)
    }),
    // Taking away.
    done("stopping a container that never ran", |s| {
        let op = Op::Stop { container: s.a(), grace: None };
        s.has("a", |_| {}).asks(op)
    }),
    done("waking a container that is not frozen", |s| {
        let op = Op::Unpause(s.a());
        s.runs("a", |_| {}).asks(op)
    }),
    done("removing a container that runs", |s| {
        let op = Op::RemoveContainer(s.a());
        s.runs("a", |_| {}).asks(op)
    }),
    refused("removing a volume that a stopped container has", InUse, |s| {
        let (name, there) = (s.name("volume"), volume(&s, |_| {}));
        let source = MountSource::Volume(name.clone());
        let remove = Op::RemoveVolume { name };
        s.ours(there).has("a", |c| mount(c, "/data", source)).asks(remove)
    }),
    refused("removing an image that a stopped container has", InUse, |s| {
        let image = format!("{}/made:1", s.prefix);
        let remove = Op::RemoveImage { image: image.clone() };
        s.ours(super::build(&image)).has("a", |c| c.image = image.parse().unwrap()).asks(remove)
    }),
];

fn volume(stage: &Stage, change: impl FnOnce(&mut Volume)) -> Op {
    let mut volume = make::volume(&stage.name("volume"));
    change(&mut volume);
    make::volume_creation(&stage.prefix, &volume)
}

fn memory(volume: &mut Volume) {
    let options = [("type", "tmpfs"), ("device", "tmpfs")];
    volume.options = options.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
}

fn nowhere(volume: &mut Volume) {
    let options = [("type", "none"), ("o", "bind"), ("device", NOWHERE)];
    volume.options = options.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
}

fn publish(container: &mut Container, net: String, inside: u16, address: &str, port: u16) {
    let key = PortKey { port: inside, protocol: "tcp" };
    container.ports.insert(key, [HostBinding { address: address.to_owned(), port }].into());
    // One on no network publishes nothing.
    container.networks.insert(net, make::attached(&[]));
}

/// Starts a container with a port beside another one that has it: an address and a protocol each.
fn beside(stage: Stage, theirs: (&str, &'static str), ours: (&str, &'static str)) -> Scene {
    let (port, net) = (stage.port, stage.name("net"));
    let with = |(address, protocol): (&str, &'static str)| {
        let (net, address) = (net.clone(), address.to_owned());
        move |c: &mut Container| {
            c.ports.insert(PortKey { port: 80, protocol }, [HostBinding { address, port }].into());
            c.networks.insert(net, make::attached(&[]));
        }
    };
    stage.net().runs("b", with(theirs)).starting(with(ours))
}

fn limits(stage: &Stage, limits: Limits) -> Op {
    Op::Update { container: stage.a(), limits, restart: Restart::No }
}

fn check(stage: &Stage, program: &str) -> Op {
    let check = Check(vec![program.to_owned()]);
    Op::CheckFiles { container: stage.a(), check, dir: "/".into() }
}

fn connect(stage: &Stage, net: &str, attachment: nself::desired::Attachment) -> Op {
    Op::Connect { container: stage.a(), network: stage.name(net), attachment }
}
