; Int8Group32.2x3: 1005 bytes
    mov          rax, [rdi]
    mov          rdx, [rdi+8]
    mov          r11, [rdi+0x10]
    mov          r8, [rdi+0x18]
    mov          r9, [rdi+0x20]
    mov          r10, [rdi+0x28]
    mov          ecx, [rdi+0x30]
    vmovups      zmm6, [r11]
    vmovups      zmm7, [r11+0x40]
    vmovups      zmm8, [r11+0x80]
    vmovups      zmm9, [r11+0xc0]
    vmovups      zmm10, [r11+0x100]
    vmovups      zmm11, [r11+0x140]
L1:
    vpbroadcastd zmm0, [r9]
    vpbroadcastd zmm1, [r9]
    vpbroadcastd zmm2, [r9+4]
    vpbroadcastd zmm3, [r9+4]
    vpbroadcastd zmm4, [r9+8]
    vpbroadcastd zmm5, [r9+8]
    add          r9, 0xc
    mov          esi, [rdi+0x34]
    cmp          ecx, 1
    cmove        esi, [rdi+0x38]
L2:
    prefetcht0   [rax+0x2000]
    prefetcht0   [rax+0x2040]
    vmovdqu64    zmm12, [rax]
    vmovdqu64    zmm13, [rax+0x40]
    vpbroadcastd zmm14, [rdx]
    vpdpbusd     zmm0, zmm12, zmm14
    vpdpbusd     zmm1, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+4]
    vpdpbusd     zmm2, zmm12, zmm14
    vpdpbusd     zmm3, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+8]
    vpdpbusd     zmm4, zmm12, zmm14
    vpdpbusd     zmm5, zmm13, zmm14
    prefetcht0   [rax+0x2080]
    prefetcht0   [rax+0x20c0]
    vmovdqu64    zmm12, [rax+0x80]
    vmovdqu64    zmm13, [rax+0xc0]
    vpbroadcastd zmm14, [rdx+0xc]
    vpdpbusd     zmm0, zmm12, zmm14
    vpdpbusd     zmm1, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+0x10]
    vpdpbusd     zmm2, zmm12, zmm14
    vpdpbusd     zmm3, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+0x14]
    vpdpbusd     zmm4, zmm12, zmm14
    vpdpbusd     zmm5, zmm13, zmm14
    prefetcht0   [rax+0x2100]
    prefetcht0   [rax+0x2140]
    vmovdqu64    zmm12, [rax+0x100]
    vmovdqu64    zmm13, [rax+0x140]
    vpbroadcastd zmm14, [rdx+0x18]
    vpdpbusd     zmm0, zmm12, zmm14
    vpdpbusd     zmm1, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+0x1c]
    vpdpbusd     zmm2, zmm12, zmm14
    vpdpbusd     zmm3, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+0x20]
    vpdpbusd     zmm4, zmm12, zmm14
    vpdpbusd     zmm5, zmm13, zmm14
    prefetcht0   [rax+0x2180]
    prefetcht0   [rax+0x21c0]
    vmovdqu64    zmm12, [rax+0x180]
    vmovdqu64    zmm13, [rax+0x1c0]
    vpbroadcastd zmm14, [rdx+0x24]
    vpdpbusd     zmm0, zmm12, zmm14
    vpdpbusd     zmm1, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+0x28]
    vpdpbusd     zmm2, zmm12, zmm14
    vpdpbusd     zmm3, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+0x2c]
    vpdpbusd     zmm4, zmm12, zmm14
    vpdpbusd     zmm5, zmm13, zmm14
    prefetcht0   [rax+0x2200]
    prefetcht0   [rax+0x2240]
    vmovdqu64    zmm12, [rax+0x200]
    vmovdqu64    zmm13, [rax+0x240]
    vpbroadcastd zmm14, [rdx+0x30]
    vpdpbusd     zmm0, zmm12, zmm14
    vpdpbusd     zmm1, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+0x34]
    vpdpbusd     zmm2, zmm12, zmm14
    vpdpbusd     zmm3, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+0x38]
    vpdpbusd     zmm4, zmm12, zmm14
    vpdpbusd     zmm5, zmm13, zmm14
    prefetcht0   [rax+0x2280]
    prefetcht0   [rax+0x22c0]
    vmovdqu64    zmm12, [rax+0x280]
    vmovdqu64    zmm13, [rax+0x2c0]
    vpbroadcastd zmm14, [rdx+0x3c]
    vpdpbusd     zmm0, zmm12, zmm14
    vpdpbusd     zmm1, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+0x40]
    vpdpbusd     zmm2, zmm12, zmm14
    vpdpbusd     zmm3, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+0x44]
    vpdpbusd     zmm4, zmm12, zmm14
    vpdpbusd     zmm5, zmm13, zmm14
    prefetcht0   [rax+0x2300]
    prefetcht0   [rax+0x2340]
    vmovdqu64    zmm12, [rax+0x300]
    vmovdqu64    zmm13, [rax+0x340]
    vpbroadcastd zmm14, [rdx+0x48]
    vpdpbusd     zmm0, zmm12, zmm14
    vpdpbusd     zmm1, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+0x4c]
    vpdpbusd     zmm2, zmm12, zmm14
    vpdpbusd     zmm3, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+0x50]
    vpdpbusd     zmm4, zmm12, zmm14
    vpdpbusd     zmm5, zmm13, zmm14
    prefetcht0   [rax+0x2380]
    prefetcht0   [rax+0x23c0]
    vmovdqu64    zmm12, [rax+0x380]
    vmovdqu64    zmm13, [rax+0x3c0]
    vpbroadcastd zmm14, [rdx+0x54]
    vpdpbusd     zmm0, zmm12, zmm14
    vpdpbusd     zmm1, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+0x58]
    vpdpbusd     zmm2, zmm12, zmm14
    vpdpbusd     zmm3, zmm13, zmm14
    vpbroadcastd zmm14, [rdx+0x5c]
    vpdpbusd     zmm4, zmm12, zmm14
    vpdpbusd     zmm5, zmm13, zmm14
    add          rax, 0x400
    add          rdx, 0x60
    dec          esi
    jne          near L2
    vcvtph2ps    zmm12, [rax]
    vcvtph2ps    zmm13, [rax+0x20]
    vcvtdq2ps    zmm0, zmm0
    vmulps       zmm0, zmm0, zmm12
    vfmadd231ps  zmm6, zmm0, [r8]{1to16}
    vcvtdq2ps    zmm1, zmm1
    vmulps       zmm1, zmm1, zmm13
    vfmadd231ps  zmm7, zmm1, [r8]{1to16}
    vcvtdq2ps    zmm2, zmm2
    vmulps       zmm2, zmm2, zmm12
    vfmadd231ps  zmm8, zmm2, [r8+4]{1to16}
    vcvtdq2ps    zmm3, zmm3
    vmulps       zmm3, zmm3, zmm13
    vfmadd231ps  zmm9, zmm3, [r8+4]{1to16}
    vcvtdq2ps    zmm4, zmm4
    vmulps       zmm4, zmm4, zmm12
    vfmadd231ps  zmm10, zmm4, [r8+8]{1to16}
    vcvtdq2ps    zmm5, zmm5
    vmulps       zmm5, zmm5, zmm13
    vfmadd231ps  zmm11, zmm5, [r8+8]{1to16}
    add          r8, 0xc
    add          rax, 0x40
    dec          ecx
    jne          near L1
    vmovups      [r11], zmm6
    vmovups      [r11+0x40], zmm7
    vmovups      [r11+0x80], zmm8
    vmovups      [r11+0xc0], zmm9
    vmovups      [r11+0x100], zmm10
    vmovups      [r11+0x140], zmm11
    vzeroupper
    ret
